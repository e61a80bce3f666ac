-- The events that have the keys ?1, an array of [number of the run, tenant, run, key].
-- CROSS JOIN: the keys drive, each is one probe of the index.
SELECT
    k.value ->> 0 AS "at!: i64",
    e.run_seq AS "run_seq!: i64",
    e.event_type AS "event_type!: String",
    e.step_id AS "step_id?: String",
    e.logical_attempt AS "logical_attempt!: i64",
    e.engine_attempt AS "engine_attempt!: i64",
    e.idempotency_key AS "idempotency_key!: String",
    e.emitted_at AS "emitted_at!: i64",
    e.persisted_at AS "persisted_at!: i64",
    e.payload AS "payload!: String"
FROM jsonb_each(?1) AS k
CROSS JOIN run_events AS e
WHERE e.tenant_id = k.value ->> 1 AND e.run_id = k.value ->> 2 AND e.idempotency_key = k.value ->> 3
