SELECT
    tenant_id AS "tenant_id!: String",
    run_id AS "run_id!: String",
    dead_letter_no AS "dead_letter_no!: i64",
    run_seq AS "run_seq!: i64",
    attempts AS "attempts!: i64",
    cause AS "cause!: String",
    error AS "error!: String",
    dead_at AS "dead_at!: i64",
    resolution AS "resolution?: String",
    resolved_by AS "resolved_by?: String",
    resolved_reason AS "resolved_reason?: String",
    resolved_at AS "resolved_at?: i64"
FROM outbox_dead_letters
WHERE tenant_id = ?1 AND run_id = ?2 AND dead_letter_no = ?3
