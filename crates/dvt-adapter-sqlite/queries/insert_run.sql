INSERT INTO run_metadata (tenant_id, run_id, project_id, environment_id, plan_id, plan_version, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
