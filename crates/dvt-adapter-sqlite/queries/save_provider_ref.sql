UPDATE run_metadata
SET provider = ?3, provider_namespace = ?4, provider_workflow_id = ?5, provider_run_id = ?6
WHERE tenant_id = ?1 AND run_id = ?2
