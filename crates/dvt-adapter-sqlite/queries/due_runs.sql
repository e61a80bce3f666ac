-- The runs that are due longest: the first one whatever it is, the others if they have fewer unfinished claims than ?3.
SELECT
    tenant_id AS "tenant_id!: String",
    run_id AS "run_id!: String",
    unfinished_claims AS "unfinished_claims!: i64"
FROM outbox
WHERE due_at <= ?1
    AND (unfinished_claims < ?3 OR (tenant_id, run_id) = (
        SELECT f.tenant_id, f.run_id FROM outbox AS f WHERE f.due_at <= ?1 ORDER BY f.due_at LIMIT 1
    ))
ORDER BY due_at
LIMIT ?2
