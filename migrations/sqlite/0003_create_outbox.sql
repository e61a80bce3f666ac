-- One row for each run: the head of its log and the cursor of its deliveries. Pending events are those of run_events with
-- delivered_seq < run_seq <= last_seq; there is no copy of them.
CREATE TABLE outbox (
    tenant_id          TEXT NOT NULL,
    run_id             TEXT NOT NULL,
    -- The head.
    last_seq           INTEGER NOT NULL DEFAULT 0,
    last_persisted_at  INTEGER,
    status             TEXT NOT NULL DEFAULT 'Pending',
    pruned_at          INTEGER,
    -- The cursor.
    delivered_seq      INTEGER NOT NULL DEFAULT 0,
    -- When the run may be claimed: the only column that schedules. NULL if nothing is pending, or the run is parked.
    due_at             INTEGER,
    claim_no           INTEGER NOT NULL DEFAULT 0,
    lease_token        TEXT,
    lease_expires_at   INTEGER,
    unfinished_claims  INTEGER NOT NULL DEFAULT 0,
    -- These two belong to the event after the cursor.
    attempts           INTEGER NOT NULL DEFAULT 0,
    last_error         TEXT,
    -- How many dead letters the run has had; the last of them parks it while parked_at is set.
    dead_letters       INTEGER NOT NULL DEFAULT 0,
    parked_at          INTEGER,

    CONSTRAINT outbox_pkey PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT outbox_run FOREIGN KEY (tenant_id, run_id) REFERENCES run_metadata (tenant_id, run_id),
    CONSTRAINT outbox_status CHECK (
        status IN ('Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled')
    ),
    CONSTRAINT outbox_cursor CHECK (0 <= delivered_seq AND delivered_seq <= last_seq),
    CONSTRAINT outbox_due CHECK (
        (due_at IS NOT NULL) = (delivered_seq < last_seq AND parked_at IS NULL)
    ),
    CONSTRAINT outbox_lease CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)),
    CONSTRAINT outbox_parked CHECK (
        parked_at IS NULL OR (delivered_seq < last_seq AND lease_token IS NULL AND dead_letters > 0)
    ),
    CONSTRAINT outbox_pruned CHECK (pruned_at IS NULL OR delivered_seq = last_seq),
    CONSTRAINT outbox_counts CHECK (
        claim_no >= 0
        AND dead_letters >= 0
        AND unfinished_claims BETWEEN 0 AND 4294967295
        AND attempts BETWEEN 0 AND 4294967295
    ),
    CONSTRAINT outbox_moments CHECK (
        last_persisted_at BETWEEN 0 AND 253402300799999999
        AND pruned_at BETWEEN 0 AND 253402300799999999
        AND due_at BETWEEN 0 AND 253402300799999999
        AND lease_expires_at BETWEEN 0 AND 253402300799999999
        AND parked_at BETWEEN 0 AND 253402300799999999
    )
) STRICT, WITHOUT ROWID;

-- What a claim walks along.
CREATE INDEX outbox_due_at ON outbox (due_at) WHERE due_at IS NOT NULL;
-- The runs with undelivered events, in the order of their keys.
CREATE INDEX outbox_pending ON outbox (tenant_id, run_id) WHERE delivered_seq < last_seq;

-- Events that were given up. Rows stay for ever, numbered 1, 2, 3 … within their run.
CREATE TABLE outbox_dead_letters (
    tenant_id        TEXT NOT NULL,
    run_id           TEXT NOT NULL,
    dead_letter_no   INTEGER NOT NULL,
    run_seq          INTEGER NOT NULL,
    attempts         INTEGER NOT NULL,
    cause            TEXT NOT NULL,
    error            TEXT NOT NULL,
    dead_at          INTEGER NOT NULL,
    resolution       TEXT,
    resolved_by      TEXT,
    resolved_reason  TEXT,
    resolved_at      INTEGER,

    CONSTRAINT outbox_dead_letters_pkey PRIMARY KEY (tenant_id, run_id, dead_letter_no),
    CONSTRAINT outbox_dead_letters_outbox FOREIGN KEY (tenant_id, run_id) REFERENCES outbox (tenant_id, run_id),
    CONSTRAINT outbox_dead_letters_numbers CHECK (
        dead_letter_no >= 1 AND run_seq >= 1 AND attempts BETWEEN 0 AND 4294967295
    ),
    CONSTRAINT outbox_dead_letters_cause CHECK (cause IN ('AttemptsExhausted', 'ParkedByOperator')),
    CONSTRAINT outbox_dead_letters_resolution CHECK (
        resolution IN ('Retried', 'Skipped')
        AND (resolution IS NULL) = (resolved_by IS NULL)
        AND (resolution IS NULL) = (resolved_reason IS NULL)
        AND (resolution IS NULL) = (resolved_at IS NULL)
    ),
    CONSTRAINT outbox_dead_letters_moments CHECK (
        dead_at BETWEEN 0 AND 253402300799999999
        AND resolved_at BETWEEN 0 AND 253402300799999999
    )
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX outbox_dead_letters_open ON outbox_dead_letters (tenant_id, run_id) WHERE resolution IS NULL;

-- Where the outbox delivers to: at most one row.
CREATE TABLE outbox_destination (
    singleton          INTEGER NOT NULL DEFAULT 1,
    destination        TEXT NOT NULL,
    retargeted_from    TEXT,
    retargeted_by      TEXT,
    retargeted_reason  TEXT,
    retargeted_at      INTEGER,

    CONSTRAINT outbox_destination_pkey PRIMARY KEY (singleton),
    CONSTRAINT outbox_destination_singleton CHECK (singleton = 1),
    CONSTRAINT outbox_destination_name CHECK (length(CAST(destination AS BLOB)) BETWEEN 1 AND 1024),
    CONSTRAINT outbox_destination_retarget CHECK (
        (retargeted_from IS NULL) = (retargeted_by IS NULL)
        AND (retargeted_from IS NULL) = (retargeted_reason IS NULL)
        AND (retargeted_from IS NULL) = (retargeted_at IS NULL)
    ),
    CONSTRAINT outbox_destination_retargeted_at CHECK (retargeted_at BETWEEN 0 AND 253402300799999999)
) STRICT, WITHOUT ROWID;
