-- At most ?4 events after ?3, and of those as many as have at most ?5 bytes of payload together; the first one always, unless
-- ?6 forbids it.
WITH sized AS (
    SELECT
        run_seq,
        row_number() OVER ascending AS position,
        sum(payload_size) OVER ascending AS bytes
    FROM (
        SELECT run_seq, payload_size
        FROM run_events
        WHERE tenant_id = ?1 AND run_id = ?2 AND run_seq > ?3
        ORDER BY run_seq
        LIMIT ?4
    )
    WINDOW ascending AS (ORDER BY run_seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
SELECT
    e.run_seq AS "run_seq!: i64",
    e.event_type AS "event_type!: String",
    e.step_id AS "step_id?: String",
    e.logical_attempt AS "logical_attempt!: i64",
    e.engine_attempt AS "engine_attempt!: i64",
    e.idempotency_key AS "idempotency_key!: String",
    e.emitted_at AS "emitted_at!: i64",
    e.persisted_at AS "persisted_at!: i64",
    e.payload AS "payload!: String"
FROM sized AS s
CROSS JOIN run_events AS e
WHERE (s.bytes <= ?5 OR (s.position = 1 AND ?6))
    AND e.tenant_id = ?1 AND e.run_id = ?2 AND e.run_seq = s.run_seq
ORDER BY s.run_seq
