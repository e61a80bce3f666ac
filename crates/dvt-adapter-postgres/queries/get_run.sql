-- The record of a run. $1 tenant id, $2 run id.
SELECT m.project_id, m.environment_id, m.plan_id, m.plan_version,
       m.provider, m.provider_namespace, m.provider_workflow_id, m.provider_run_id,
       m.run_id, o.status, o.last_seq, o.delivered_seq, m.created_at AS "created_at: Moment", o.pruned_at AS "pruned_at: Moment"
FROM run_metadata AS m
JOIN outbox AS o ON o.tenant_id = m.tenant_id AND o.run_id = m.run_id
WHERE m.tenant_id = $1 AND m.run_id = $2
