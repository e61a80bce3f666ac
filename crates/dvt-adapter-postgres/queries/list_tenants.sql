-- A page of the tenants that have runs: one index probe for each. $1 only greater ones, $2 limit.
WITH RECURSIVE tenant AS (
    (SELECT m.tenant_id FROM run_metadata AS m WHERE m.tenant_id > $1 ORDER BY m.tenant_id LIMIT 1)
    UNION ALL
    SELECT next.tenant_id
    FROM tenant
    CROSS JOIN LATERAL (
        SELECT m.tenant_id FROM run_metadata AS m WHERE m.tenant_id > tenant.tenant_id ORDER BY m.tenant_id LIMIT 1
    ) AS next
)
SELECT tenant_id AS "tenant_id!" FROM tenant LIMIT $2
