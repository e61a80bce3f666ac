-- Makes a run with its first events, or tells what is there: one row, or one for each first event.
-- No row says `made`, and none tells metadata, if the run was made while this statement waited: ask again.
--
-- $1 tenant id, $2 run id, $3 project id, $4 environment id, $5 plan id, $6 plan version, $7 status after the first events,
-- $8-$14 columns of the first events, $15 clock shift in microseconds.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() + $15::bigint * interval '1 microsecond' AS now
),
made AS (
    INSERT INTO outbox (tenant_id, run_id, last_seq, last_persisted_at, status, pending_since, due_at)
    SELECT $1, $2, first.events, first.at, $7, first.at, first.at
    FROM (
        SELECT cardinality($8::text[]) AS events, CASE WHEN cardinality($8::text[]) > 0 THEN now END AS at
        FROM clock
    ) AS first
    ON CONFLICT ON CONSTRAINT outbox_pkey DO NOTHING
    RETURNING tenant_id
),
described AS (
    INSERT INTO run_metadata (tenant_id, run_id, project_id, environment_id, plan_id, plan_version, created_at)
    SELECT $1, $2, $3, $4, $5, $6, clock.now
    FROM clock, made
),
written AS (
    INSERT INTO run_events (
        tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
        idempotency_key, emitted_at, persisted_at, payload, payload_size
    )
    SELECT $1, $2, e.event_no, e.event_type, e.step_id, e.logical_attempt, e.engine_attempt,
           e.idempotency_key, e.emitted_at, clock.now, e.payload::json, octet_length(e.payload)
    FROM unnest(
        $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::timestamptz[], $14::text[]
    ) WITH ORDINALITY AS e (
        event_type, step_id, logical_attempt, engine_attempt, idempotency_key, emitted_at, payload, event_no
    ),
    clock, made
),
found AS MATERIALIZED (
    SELECT head.pruned_at, m.project_id, m.environment_id, m.plan_id, m.plan_version, m.created_at
    -- The lock makes the answer to a repetition as durable as the first one.
    FROM (SELECT o.pruned_at FROM outbox AS o WHERE o.tenant_id = $1 AND o.run_id = $2 FOR UPDATE) AS head,
         run_metadata AS m
    WHERE m.tenant_id = $1 AND m.run_id = $2
)
SELECT EXISTS (SELECT FROM made) AS "made!", clock.now AS "now!: Moment",
       found.pruned_at AS "pruned_at?: Moment", found.created_at AS "created_at?: Moment",
       found.project_id AS "project_id?", found.environment_id AS "environment_id?",
       found.plan_id AS "plan_id?", found.plan_version AS "plan_version?",
       first.event_no,
       known.run_seq AS "known_seq?", known.event_type AS "known_event_type?", known.step_id AS "known_step_id?",
       known.logical_attempt AS "known_logical_attempt?", known.engine_attempt AS "known_engine_attempt?",
       known.emitted_at AS "known_emitted_at?: Moment", known.persisted_at AS "known_persisted_at?: Moment",
       known.payload::text AS "known_payload?"
FROM clock
LEFT JOIN found ON true
LEFT JOIN unnest($12::text[]) WITH ORDINALITY AS first (idempotency_key, event_no) ON found.created_at IS NOT NULL
LEFT JOIN LATERAL (
    SELECT k.run_seq, k.event_type, k.step_id, k.logical_attempt, k.engine_attempt, k.emitted_at, k.persisted_at, k.payload
    FROM run_events AS k
    -- As in append.sql: so that this index is taken.
    WHERE k.tenant_id = $1 AND k.run_id = $2
      AND k.idempotency_key BETWEEN first.idempotency_key AND first.idempotency_key
    ORDER BY k.idempotency_key
    LIMIT 1
) AS known ON true
