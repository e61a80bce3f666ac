-- Leaps from tenant to tenant: one probe for each.
WITH RECURSIVE tenant (tenant_id) AS (
    SELECT min(tenant_id) FROM run_metadata WHERE tenant_id > ?1
    UNION ALL
    SELECT (SELECT min(m.tenant_id) FROM run_metadata AS m WHERE m.tenant_id > t.tenant_id)
    FROM tenant AS t
    WHERE t.tenant_id IS NOT NULL
    LIMIT ?2
)
SELECT tenant_id AS "tenant_id!: String" FROM tenant WHERE tenant_id IS NOT NULL
