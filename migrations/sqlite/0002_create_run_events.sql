-- The log. One row for each event, numbered 1, 2, 3 … within its run, and stored in that order.
CREATE TABLE run_events (
    tenant_id        TEXT NOT NULL,
    run_id           TEXT NOT NULL,
    run_seq          INTEGER NOT NULL,
    event_type       TEXT NOT NULL,
    step_id          TEXT,
    logical_attempt  INTEGER NOT NULL,
    engine_attempt   INTEGER NOT NULL,
    idempotency_key  TEXT NOT NULL,
    emitted_at       INTEGER NOT NULL,
    persisted_at     INTEGER NOT NULL,
    -- Before the payload, so that byte bounds are kept without reading payloads.
    payload_size     INTEGER NOT NULL,
    payload          TEXT NOT NULL,

    CONSTRAINT run_events_pkey PRIMARY KEY (tenant_id, run_id, run_seq),
    CONSTRAINT run_events_idempotency UNIQUE (tenant_id, run_id, idempotency_key),
    CONSTRAINT run_events_run_seq CHECK (run_seq >= 1),
    CONSTRAINT run_events_attempts CHECK (
        logical_attempt BETWEEN 1 AND 2147483647 AND engine_attempt BETWEEN 1 AND 2147483647
    ),
    CONSTRAINT run_events_idempotency_key CHECK (length(CAST(idempotency_key AS BLOB)) BETWEEN 1 AND 255),
    CONSTRAINT run_events_emitted_at CHECK (emitted_at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT run_events_persisted_at CHECK (persisted_at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT run_events_payload_size CHECK (payload_size BETWEEN 1 AND 1048576)
) STRICT, WITHOUT ROWID;
