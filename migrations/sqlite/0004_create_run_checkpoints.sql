-- A stored fold of a run's log. A cache: deleting all rows changes no answer.
CREATE TABLE run_checkpoints (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    run_seq       INTEGER NOT NULL,
    fold_version  INTEGER NOT NULL,
    checksum      TEXT NOT NULL,
    state         TEXT NOT NULL,

    CONSTRAINT run_checkpoints_pkey PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT run_checkpoints_outbox FOREIGN KEY (tenant_id, run_id) REFERENCES outbox (tenant_id, run_id),
    CONSTRAINT run_checkpoints_numbers CHECK (run_seq >= 0 AND fold_version BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;
