CREATE DOMAIN tally AS bigint CONSTRAINT tally_range CHECK (VALUE >= 0);
-- As far as an unsigned number of four bytes goes.
CREATE DOMAIN counter AS bigint CONSTRAINT counter_range CHECK (VALUE BETWEEN 0 AND 4294967295);
CREATE DOMAIN run_status AS text COLLATE "C"
    CONSTRAINT run_status_name CHECK (VALUE IN ('Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled'));

-- One row for each run: the head of its log and the cursor of its deliveries. Pending events are those of run_events with
-- delivered_seq < run_seq <= last_seq; there is no copy of them.
CREATE TABLE outbox (
    tenant_id          text COLLATE "C" NOT NULL,
    run_id             text COLLATE "C" NOT NULL,
    -- The head.
    last_seq           bigint NOT NULL,
    last_persisted_at  moment,
    status             run_status NOT NULL,
    pruned_at          moment,
    -- The cursor.
    delivered_seq      bigint NOT NULL DEFAULT 0,
    -- persisted_at of the event after the cursor; not known from the moment that the cursor moves to the next claim.
    pending_since      moment,
    -- When the run may be claimed: the only column that schedules. NULL if nothing is pending, or the run is parked.
    due_at             moment,
    claim_no           tally NOT NULL DEFAULT 0,
    lease_token        uuid,
    lease_expires_at   moment,
    unfinished_claims  counter NOT NULL DEFAULT 0,
    -- These two belong to the event after the cursor.
    attempts           counter NOT NULL DEFAULT 0,
    last_error         text,
    -- How many dead letters the run has had; the last of them parks it while parked_at is set.
    dead_letters       tally NOT NULL DEFAULT 0,
    parked_at          moment,

    CONSTRAINT outbox_pkey PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT outbox_run FOREIGN KEY (tenant_id, run_id) REFERENCES run_metadata (tenant_id, run_id),
    CONSTRAINT outbox_cursor CHECK (0 <= delivered_seq AND delivered_seq <= last_seq),
    CONSTRAINT outbox_due CHECK (
        (due_at IS NOT NULL) = (delivered_seq < last_seq AND parked_at IS NULL)
    ),
    CONSTRAINT outbox_lease CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL)),
    CONSTRAINT outbox_parked CHECK (
        parked_at IS NULL OR (delivered_seq < last_seq AND lease_token IS NULL AND dead_letters > 0)
    ),
    CONSTRAINT outbox_pruned CHECK (pruned_at IS NULL OR delivered_seq = last_seq)
);

-- What a claim walks along.
CREATE INDEX outbox_due_at ON outbox (due_at) WHERE due_at IS NOT NULL;
-- With the one above: the runs with undelivered events.
CREATE INDEX outbox_parked_at ON outbox (parked_at) WHERE parked_at IS NOT NULL;

-- Events that were given up. Rows stay for ever, numbered 1, 2, 3 … within their run.
CREATE TABLE outbox_dead_letters (
    tenant_id        text COLLATE "C" NOT NULL,
    run_id           text COLLATE "C" NOT NULL,
    dead_letter_no   ordinal NOT NULL,
    run_seq          ordinal NOT NULL,
    attempts         counter NOT NULL,
    cause            text COLLATE "C" NOT NULL,
    error            text NOT NULL,
    dead_at          moment NOT NULL,
    resolution       text COLLATE "C",
    resolved_by      text,
    resolved_reason  text,
    resolved_at      moment,

    CONSTRAINT outbox_dead_letters_pkey PRIMARY KEY (tenant_id, run_id, dead_letter_no),
    CONSTRAINT outbox_dead_letters_outbox FOREIGN KEY (tenant_id, run_id) REFERENCES outbox (tenant_id, run_id),
    CONSTRAINT outbox_dead_letters_cause CHECK (cause IN ('AttemptsExhausted', 'ParkedByOperator')),
    CONSTRAINT outbox_dead_letters_resolution CHECK (
        resolution IN ('Retried', 'Skipped')
        AND (resolution IS NULL) = (resolved_by IS NULL)
        AND (resolution IS NULL) = (resolved_reason IS NULL)
        AND (resolution IS NULL) = (resolved_at IS NULL)
    )
);

CREATE UNIQUE INDEX outbox_dead_letters_open ON outbox_dead_letters (tenant_id, run_id) WHERE resolution IS NULL;

-- Where the outbox delivers to: at most one row.
CREATE TABLE outbox_destination (
    singleton            boolean NOT NULL DEFAULT true,
    destination          text COLLATE "C" NOT NULL,
    retargeted_from      text COLLATE "C",
    retargeted_by        text,
    retargeted_reason    text,
    retargeted_at        moment,

    CONSTRAINT outbox_destination_pkey PRIMARY KEY (singleton),
    CONSTRAINT outbox_destination_singleton CHECK (singleton),
    CONSTRAINT outbox_destination_name CHECK (octet_length(destination) BETWEEN 1 AND 1024),
    CONSTRAINT outbox_destination_retarget CHECK (
        (retargeted_from IS NULL) = (retargeted_by IS NULL)
        AND (retargeted_from IS NULL) = (retargeted_reason IS NULL)
        AND (retargeted_from IS NULL) = (retargeted_at IS NULL)
    )
);
