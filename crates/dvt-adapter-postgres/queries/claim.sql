-- Claims the runs that have been due longest, with their next events: a row for each run, its events in arrays side by side.
--
-- $1 floor: runs due before it are left to a sweep (NULL floor), which spares walking over dead index entries.
-- $2 most runs, $3 most events of a run, $4 most payload bytes, $5 lease in microseconds, $6 clock shift in microseconds,
-- $7 unfinished claims that make a run go alone, $8 events at which no further run is taken: without it a claim of many runs
-- would read all that waits in them before it could say where its bytes end.
WITH longest AS MATERIALIZED (
    SELECT o.unfinished_claims, o.due_at, o.tenant_id, o.run_id
    FROM outbox AS o
    -- statement_timestamp, not clock_timestamp: a volatile bound would read the whole index, and could lease a run whose
    -- newest event this snapshot does not see.
    WHERE o.due_at >= coalesce($1::timestamptz, '-infinity')
      AND o.due_at <= statement_timestamp() + $6::bigint * interval '1 microsecond'
    ORDER BY o.due_at
    LIMIT least($2::bigint, 1)
    FOR UPDATE SKIP LOCKED
),
candidate AS MATERIALIZED (
    SELECT run.*, row_number() OVER (ORDER BY run.due_at, run.tenant_id, run.run_id) AS run_no,
           sum(least(run.pending, $3::bigint)::int) OVER (
               ORDER BY run.due_at, run.tenant_id, run.run_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS events_before
    FROM (
        SELECT o.tenant_id, o.run_id, o.due_at, o.delivered_seq, o.last_seq - o.delivered_seq AS pending
        FROM outbox AS o
        WHERE o.due_at >= coalesce($1::timestamptz, '-infinity')
          AND o.due_at <= statement_timestamp() + $6::bigint * interval '1 microsecond'
          AND CASE
              WHEN (SELECT longest.unfinished_claims < $7::bigint FROM longest) THEN o.unfinished_claims < $7::bigint
              ELSE (o.tenant_id, o.run_id) = (SELECT longest.tenant_id, longest.run_id FROM longest)
          END
        ORDER BY o.due_at
        LIMIT (
            SELECT CASE WHEN longest.unfinished_claims < $7::bigint THEN $2::bigint ELSE 1 END FROM longest
        )
        FOR UPDATE SKIP LOCKED
    ) AS run
    WHERE EXISTS (SELECT FROM longest)
),
-- How much each of them would take. Events are read once more when it is known which, which costs less than to carry them along.
sized AS MATERIALIZED (
    SELECT c.run_no, c.tenant_id, c.run_id, c.delivered_seq, next.bytes, next.first_seq, next.last_seq, next.pending_since,
           row_number() OVER (ORDER BY c.run_no) AS place,
           coalesce(
               sum(next.bytes) OVER (ORDER BY c.run_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0
           ) AS bytes_before
    FROM candidate AS c
    CROSS JOIN LATERAL (
        SELECT sum(k.payload_size::int) AS bytes, min(k.run_seq) AS first_seq, max(k.run_seq) AS last_seq,
               min(k.persisted_at) AS pending_since
        FROM (
            SELECT e.run_seq, e.persisted_at, e.payload_size
            FROM run_events AS e
            WHERE e.tenant_id = c.tenant_id AND e.run_id = c.run_id AND e.run_seq > c.delivered_seq
            ORDER BY e.run_seq
            LIMIT $3
        ) AS k
        HAVING count(*) > 0
    ) AS next
    WHERE coalesce(c.events_before, 0) < $8::bigint
),
-- All of a run's events, or those that fit; of the first run one at least.
run AS MATERIALIZED (
    SELECT s.run_no, s.tenant_id, s.run_id, s.delivered_seq, s.pending_since, fitting.last_seq
    FROM sized AS s
    CROSS JOIN LATERAL (
        SELECT s.last_seq
        WHERE s.bytes_before + s.bytes <= $4::bigint
        UNION ALL
        SELECT max(k.run_seq)
        FROM (
            SELECT e.run_seq, sum(e.payload_size::int) OVER (ORDER BY e.run_seq) AS bytes
            FROM run_events AS e
            WHERE e.tenant_id = s.tenant_id AND e.run_id = s.run_id AND e.run_seq > s.delivered_seq AND e.run_seq <= s.last_seq
              AND s.bytes_before + s.bytes > $4::bigint AND (s.bytes_before < $4::bigint OR s.place = 1)
        ) AS k
        WHERE s.bytes_before + k.bytes <= $4::bigint OR (s.place = 1 AND k.run_seq = s.first_seq)
        HAVING count(*) > 0
    ) AS fitting
),
-- After the locks, so that no lease is shorter than asked for.
clock AS MATERIALIZED (
    SELECT clock_timestamp() + ($6::bigint + $5::bigint) * interval '1 microsecond' AS expires_at
    FROM run
    LIMIT 1
),
claimed AS (
    UPDATE outbox AS o
    SET claim_no = o.claim_no + 1,
        unfinished_claims = least(o.unfinished_claims + 1, 4294967295),
        lease_token = gen_random_uuid(),
        lease_expires_at = clock.expires_at,
        due_at = clock.expires_at,
        pending_since = run.pending_since
    FROM run, clock
    WHERE o.tenant_id = run.tenant_id AND o.run_id = run.run_id
    RETURNING run.run_no, o.tenant_id, o.run_id, o.claim_no, o.lease_token, o.lease_expires_at,
              o.attempts, o.unfinished_claims, run.delivered_seq, run.last_seq
)
SELECT c.run_no AS "run_no!", c.tenant_id, c.run_id, c.claim_no, c.lease_token AS "lease_token!",
       c.lease_expires_at AS "lease_expires_at!: Moment", c.attempts, c.unfinished_claims, c.last_seq AS "last_seq!",
       (SELECT longest.due_at FROM longest) AS "longest_due_at!: Moment",
       e.run_seqs AS "run_seqs!", e.event_types AS "event_types!: _", e.step_ids AS "step_ids!: _",
       e.logical_attempts AS "logical_attempts!", e.engine_attempts AS "engine_attempts!",
       e.idempotency_keys AS "idempotency_keys!: _", e.emitted_at AS "emitted_at!: _",
       e.persisted_at AS "persisted_at!: _", e.payloads AS "payloads!: _"
FROM claimed AS c
CROSS JOIN LATERAL (
    SELECT array_agg(k.run_seq::bigint) AS run_seqs, array_agg(k.event_type) AS event_types, array_agg(k.step_id) AS step_ids,
           array_agg(k.logical_attempt::bigint) AS logical_attempts, array_agg(k.engine_attempt::bigint) AS engine_attempts,
           array_agg(k.idempotency_key::text) AS idempotency_keys, array_agg(k.emitted_at::timestamptz) AS emitted_at,
           array_agg(k.persisted_at::timestamptz) AS persisted_at, array_agg(k.payload) AS payloads
    FROM (
        SELECT log.*
        FROM run_events AS log
        WHERE log.tenant_id = c.tenant_id AND log.run_id = c.run_id AND log.run_seq > c.delivered_seq AND log.run_seq <= c.last_seq
        -- Only one index has this order: before anybody has counted, the one on keys looks as good, and walks the whole run.
        ORDER BY log.run_seq
    ) AS k
) AS e
