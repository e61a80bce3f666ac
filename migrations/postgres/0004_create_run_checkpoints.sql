-- A stored fold of a run's log. A cache: deleting all rows changes no answer.
CREATE TABLE run_checkpoints (
    tenant_id     text COLLATE "C" NOT NULL,
    run_id        text COLLATE "C" NOT NULL,
    run_seq       tally NOT NULL,
    fold_version  counter NOT NULL,
    checksum      text COLLATE "C" NOT NULL,
    state         text NOT NULL,

    CONSTRAINT run_checkpoints_pkey PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT run_checkpoints_outbox FOREIGN KEY (tenant_id, run_id) REFERENCES outbox (tenant_id, run_id)
);
