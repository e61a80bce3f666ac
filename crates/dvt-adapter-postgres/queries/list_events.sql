-- A run's head and a page of its log, the events in arrays side by side: one row, if the run is there.
-- $1 tenant id, $2 run id, $3 after this run_seq, $4 limit, $5 most payload bytes.
SELECT o.last_seq, o.pruned_at AS "pruned_at: Moment",
       coalesce(e.run_seqs, '{}') AS "run_seqs!", coalesce(e.event_types, '{}') AS "event_types!: _",
       coalesce(e.step_ids, '{}') AS "step_ids!: _",
       coalesce(e.logical_attempts, '{}') AS "logical_attempts!", coalesce(e.engine_attempts, '{}') AS "engine_attempts!",
       coalesce(e.idempotency_keys, '{}') AS "idempotency_keys!: _", coalesce(e.emitted_at, '{}') AS "emitted_at!: _",
       coalesce(e.persisted_at, '{}') AS "persisted_at!: _", coalesce(e.payloads, '{}') AS "payloads!: _"
FROM outbox AS o
CROSS JOIN LATERAL (
    SELECT array_agg(k.run_seq::bigint) AS run_seqs, array_agg(k.event_type) AS event_types, array_agg(k.step_id) AS step_ids,
           array_agg(k.logical_attempt::bigint) AS logical_attempts, array_agg(k.engine_attempt::bigint) AS engine_attempts,
           array_agg(k.idempotency_key::text) AS idempotency_keys, array_agg(k.emitted_at::timestamptz) AS emitted_at,
           array_agg(k.persisted_at::timestamptz) AS persisted_at, array_agg(k.payload) AS payloads
    FROM (
        SELECT page.*, sum(page.payload_size::int) OVER (ORDER BY page.run_seq) AS bytes
        FROM (
            SELECT log.*
            FROM run_events AS log
            WHERE log.tenant_id = o.tenant_id AND log.run_id = o.run_id AND log.run_seq > $3::bigint AND o.pruned_at IS NULL
            ORDER BY log.run_seq
            LIMIT $4
        ) AS page
    ) AS k
    WHERE k.bytes <= $5::bigint OR k.run_seq = $3::bigint + 1
) AS e
WHERE o.tenant_id = $1 AND o.run_id = $2
