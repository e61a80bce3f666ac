INSERT INTO run_checkpoints (tenant_id, run_id, run_seq, fold_version, checksum, state)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (tenant_id, run_id) DO UPDATE SET
    run_seq = excluded.run_seq,
    fold_version = excluded.fold_version,
    checksum = excluded.checksum,
    state = excluded.state
