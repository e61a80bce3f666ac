SELECT
    run_seq AS "run_seq!: i64",
    fold_version AS "fold_version!: i64",
    checksum AS "checksum!: String",
    state AS "state!: String"
FROM run_checkpoints
WHERE tenant_id = ?1 AND run_id = ?2
