SELECT
    o.tenant_id AS "tenant_id!: String",
    o.run_id AS "run_id!: String",
    o.delivered_seq AS "delivered_seq!: i64",
    o.last_seq AS "last_seq!: i64",
    e.persisted_at AS "pending_since!: i64",
    o.due_at AS "due_at?: i64",
    o.lease_expires_at AS "lease_expires_at?: i64",
    o.parked_at AS "parked_at?: i64",
    o.dead_letters AS "dead_letters!: i64",
    o.attempts AS "attempts!: i64",
    o.unfinished_claims AS "unfinished_claims!: i64",
    o.claim_no AS "claim_no!: i64",
    o.last_error AS "last_error?: String"
FROM outbox AS o
CROSS JOIN run_events AS e
    ON e.tenant_id = o.tenant_id AND e.run_id = o.run_id AND e.run_seq = o.delivered_seq + 1
WHERE o.delivered_seq < o.last_seq
    AND (o.tenant_id, o.run_id) > (?1, ?2)
    AND (?3 IS NULL OR o.tenant_id = ?3)
    AND (?4 IS NULL OR o.tenant_id = ?4)
    AND (?5 IS NULL OR o.run_id = ?5)
ORDER BY o.tenant_id, o.run_id
LIMIT ?6
