-- A run's head and a page of its log: one row at least, if the run is there.
-- $1 tenant id, $2 run id, $3 after this run_seq, $4 limit, $5 most payload bytes.
SELECT o.last_seq, o.pruned_at AS "pruned_at: Moment",
       e.run_seq AS "run_seq?", e.event_type AS "event_type?", e.step_id AS "step_id?",
       e.logical_attempt AS "logical_attempt?", e.engine_attempt AS "engine_attempt?",
       e.idempotency_key AS "idempotency_key?", e.emitted_at AS "emitted_at?: Moment",
       e.persisted_at AS "persisted_at?: Moment", e.payload::text AS "payload?"
FROM outbox AS o
LEFT JOIN LATERAL (
    SELECT page.*, sum(page.payload_size::int) OVER (ORDER BY page.run_seq) AS bytes
    FROM (
        SELECT k.*
        FROM run_events AS k
        WHERE k.tenant_id = o.tenant_id AND k.run_id = o.run_id AND k.run_seq > $3::bigint AND o.pruned_at IS NULL
        ORDER BY k.run_seq
        LIMIT $4
    ) AS page
) AS e ON e.bytes <= $5::bigint OR e.run_seq = $3::bigint + 1
WHERE o.tenant_id = $1 AND o.run_id = $2
ORDER BY e.run_seq
