-- The log. One row for each event, numbered 1, 2, 3 … within its run.
CREATE TABLE run_events (
    tenant_id        text COLLATE "C" NOT NULL,
    run_id           text COLLATE "C" NOT NULL,
    run_seq          bigint NOT NULL,
    event_type       text COLLATE "C" NOT NULL,
    step_id          text COLLATE "C",
    logical_attempt  bigint NOT NULL,
    engine_attempt   bigint NOT NULL,
    idempotency_key  text COLLATE "C" NOT NULL,
    emitted_at       timestamptz NOT NULL,
    persisted_at     timestamptz NOT NULL,
    -- json, not jsonb: it keeps the bytes.
    payload          json NOT NULL,
    -- Byte bounds are kept without reading payloads back from their side table.
    payload_size     bigint NOT NULL,

    CONSTRAINT run_events_pkey PRIMARY KEY (tenant_id, run_id, run_seq),
    CONSTRAINT run_events_idempotency UNIQUE (tenant_id, run_id, idempotency_key),
    CONSTRAINT run_events_run_seq CHECK (run_seq >= 1),
    CONSTRAINT run_events_attempts CHECK (
        logical_attempt BETWEEN 1 AND 2147483647 AND engine_attempt BETWEEN 1 AND 2147483647
    ),
    CONSTRAINT run_events_idempotency_key CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
    CONSTRAINT run_events_emitted_at CHECK (
        emitted_at >= '1970-01-01 00:00:00+00' AND emitted_at < '10000-01-01 00:00:00+00'
    ),
    CONSTRAINT run_events_persisted_at CHECK (
        persisted_at >= '1970-01-01 00:00:00+00' AND persisted_at < '10000-01-01 00:00:00+00'
    ),
    CONSTRAINT run_events_payload_size CHECK (payload_size BETWEEN 1 AND 1048576)
);
