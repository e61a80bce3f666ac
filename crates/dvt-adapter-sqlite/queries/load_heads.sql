-- The heads of the runs ?1, an array of [number, tenant, run]. CROSS JOIN: the runs drive, each is one probe of the key.
SELECT
    r.value ->> 0 AS "at!: i64",
    o.last_seq AS "last_seq!: i64",
    o.last_persisted_at AS "last_persisted_at?: i64",
    o.status AS "status!: String",
    o.pruned_at AS "pruned_at?: i64",
    o.delivered_seq AS "delivered_seq!: i64",
    o.due_at AS "due_at?: i64",
    o.claim_no AS "claim_no!: i64",
    o.lease_token AS "lease_token?: String",
    o.lease_expires_at AS "lease_expires_at?: i64",
    o.unfinished_claims AS "unfinished_claims!: i64",
    o.attempts AS "attempts!: i64",
    o.last_error AS "last_error?: String",
    o.dead_letters AS "dead_letters!: i64",
    o.parked_at AS "parked_at?: i64"
FROM jsonb_each(?1) AS r
CROSS JOIN outbox AS o
WHERE o.tenant_id = r.value ->> 1 AND o.run_id = r.value ->> 2
