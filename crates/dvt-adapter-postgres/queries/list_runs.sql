-- A page of a tenant's runs. $1 tenant id, $2 only greater run ids, $3 limit; filters that are NULL pass everything:
-- $4 project id, $5 environment id, $6 status, $7 created since, $8 created before, $9 pruned.
SELECT m.project_id, m.environment_id, m.plan_id, m.plan_version,
       m.provider, m.provider_namespace, m.provider_workflow_id, m.provider_run_id,
       m.run_id, o.status AS "status!", o.last_seq AS "last_seq!", o.delivered_seq AS "delivered_seq!",
       m.created_at AS "created_at: Moment", o.pruned_at AS "pruned_at: Moment"
FROM run_metadata AS m
CROSS JOIN LATERAL (
    SELECT head.status, head.last_seq, head.delivered_seq, head.pruned_at
    FROM outbox AS head
    WHERE head.tenant_id = m.tenant_id AND head.run_id = m.run_id
    LIMIT 1
) AS o
WHERE m.tenant_id = $1
  -- No run id is empty.
  AND m.run_id > $2::text
  AND ($4::text IS NULL OR m.project_id = $4)
  AND ($5::text IS NULL OR m.environment_id = $5)
  AND ($6::text IS NULL OR o.status = $6)
  AND ($7::timestamptz IS NULL OR m.created_at >= $7)
  AND ($8::timestamptz IS NULL OR m.created_at < $8)
  AND ($9::boolean IS NULL OR (o.pruned_at IS NOT NULL) = $9)
ORDER BY m.tenant_id, m.run_id
LIMIT $3
