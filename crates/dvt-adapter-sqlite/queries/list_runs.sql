SELECT
    m.run_id AS "run_id!: String",
    m.project_id AS "project_id!: String",
    m.environment_id AS "environment_id!: String",
    m.plan_id AS "plan_id!: String",
    m.plan_version AS "plan_version!: String",
    m.provider AS "provider?: String",
    m.provider_namespace AS "provider_namespace?: String",
    m.provider_workflow_id AS "provider_workflow_id?: String",
    m.provider_run_id AS "provider_run_id?: String",
    o.status AS "status!: String",
    o.last_seq AS "last_seq!: i64",
    o.delivered_seq AS "delivered_seq!: i64",
    m.created_at AS "created_at!: i64",
    o.pruned_at AS "pruned_at?: i64"
FROM run_metadata AS m
CROSS JOIN outbox AS o ON o.tenant_id = m.tenant_id AND o.run_id = m.run_id
WHERE m.tenant_id = ?1
    AND m.run_id > ?2
    AND (?4 IS NULL OR m.project_id = ?4)
    AND (?5 IS NULL OR m.environment_id = ?5)
    AND (?6 IS NULL OR o.status = ?6)
    AND (?7 IS NULL OR m.created_at >= ?7)
    AND (?8 IS NULL OR m.created_at < ?8)
    AND (?9 IS NULL OR (o.pruned_at IS NOT NULL) = ?9)
ORDER BY m.run_id
LIMIT ?3
