-- Claims the runs that have been due longest, with their next events: first a row for each run, then one for each event.
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
-- Sizes alone: what is claimed is read once more, which costs less than to carry it through windows and groups.
event AS MATERIALIZED (
    SELECT c.run_no, k.run_seq, k.persisted_at,
           sum(k.payload_size::int) OVER (ORDER BY c.run_no, k.run_seq ROWS UNBOUNDED PRECEDING) AS bytes,
           row_number() OVER (ORDER BY c.run_no, k.run_seq) AS place
    FROM candidate AS c
    CROSS JOIN LATERAL (
        SELECT e.run_seq, e.persisted_at, e.payload_size
        FROM run_events AS e
        WHERE e.tenant_id = c.tenant_id AND e.run_id = c.run_id AND e.run_seq > c.delivered_seq
        ORDER BY e.run_seq
        LIMIT $3
    ) AS k
    WHERE coalesce(c.events_before, 0) < $8::bigint
),
run AS MATERIALIZED (
    SELECT c.run_no, c.tenant_id, c.run_id, c.delivered_seq, fitting.pending_since, fitting.last_seq
    FROM (
        SELECT event.run_no, min(event.persisted_at) AS pending_since, max(event.run_seq) AS last_seq
        FROM event
        WHERE event.bytes <= $4::bigint OR event.place = 1
        GROUP BY event.run_no
    ) AS fitting
    JOIN candidate AS c ON c.run_no = fitting.run_no
),
-- After the locks, so that no lease is shorter than asked for.
clock AS MATERIALIZED (
    SELECT clock_timestamp() + ($6::bigint + $5::bigint) * interval '1 microsecond' AS expires_at
    FROM event
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
              o.attempts, o.unfinished_claims, run.last_seq
)
SELECT c.run_no AS "run_no!", c.tenant_id AS "tenant_id?", c.run_id AS "run_id?", c.claim_no AS "claim_no?", c.lease_token AS "lease_token?",
       c.lease_expires_at AS "lease_expires_at?: Moment",
       c.attempts AS "attempts?", c.unfinished_claims AS "unfinished_claims?", c.last_seq AS "last_seq?",
       (SELECT longest.due_at FROM longest) AS "longest_due_at?: Moment",
       NULL::bigint AS run_seq, NULL::text AS event_type, NULL::text AS step_id,
       NULL::bigint AS logical_attempt, NULL::bigint AS engine_attempt, NULL::text AS idempotency_key,
       NULL::timestamptz AS "emitted_at?: Moment", NULL::timestamptz AS "persisted_at?: Moment", NULL::text AS payload
FROM claimed AS c
UNION ALL
SELECT run.run_no, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL,
       e.run_seq, e.event_type, e.step_id,
       e.logical_attempt, e.engine_attempt, e.idempotency_key,
       e.emitted_at, e.persisted_at, e.payload::text
FROM run
CROSS JOIN LATERAL (
    SELECT k.*
    FROM run_events AS k
    WHERE k.tenant_id = run.tenant_id AND k.run_id = run.run_id
      AND k.run_seq > run.delivered_seq AND k.run_seq <= run.last_seq
    ORDER BY k.run_seq
) AS e
