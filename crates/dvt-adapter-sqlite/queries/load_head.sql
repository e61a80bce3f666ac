SELECT
    last_seq AS "last_seq!: i64",
    last_persisted_at AS "last_persisted_at?: i64",
    status AS "status!: String",
    pruned_at AS "pruned_at?: i64",
    delivered_seq AS "delivered_seq!: i64",
    due_at AS "due_at?: i64",
    claim_no AS "claim_no!: i64",
    lease_token AS "lease_token?: String",
    lease_expires_at AS "lease_expires_at?: i64",
    unfinished_claims AS "unfinished_claims!: i64",
    attempts AS "attempts!: i64",
    last_error AS "last_error?: String",
    dead_letters AS "dead_letters!: i64",
    parked_at AS "parked_at?: i64"
FROM outbox
WHERE tenant_id = ?1 AND run_id = ?2
