-- The place of something that is numbered 1, 2, 3 …
CREATE DOMAIN ordinal AS bigint CONSTRAINT ordinal_range CHECK (VALUE >= 1);
CREATE DOMAIN attempt AS bigint CONSTRAINT attempt_range CHECK (VALUE BETWEEN 1 AND 2147483647);
CREATE DOMAIN payload_size AS bigint CONSTRAINT payload_size_range CHECK (VALUE BETWEEN 1 AND 1048576);

-- The log. One row for each event, numbered 1, 2, 3 … within its run.
CREATE TABLE run_events (
    tenant_id        text COLLATE "C" NOT NULL,
    run_id           text COLLATE "C" NOT NULL,
    run_seq          ordinal NOT NULL,
    event_type       text COLLATE "C" NOT NULL,
    step_id          text COLLATE "C",
    logical_attempt  attempt NOT NULL,
    engine_attempt   attempt NOT NULL,
    idempotency_key  identifier NOT NULL,
    emitted_at       moment NOT NULL,
    persisted_at     moment NOT NULL,
    -- json, not jsonb: it keeps the bytes.
    payload          json NOT NULL,
    -- Byte bounds are kept without reading payloads back from their side table.
    payload_size     payload_size NOT NULL,

    CONSTRAINT run_events_pkey PRIMARY KEY (tenant_id, run_id, run_seq),
    CONSTRAINT run_events_idempotency UNIQUE (tenant_id, run_id, idempotency_key)
);
