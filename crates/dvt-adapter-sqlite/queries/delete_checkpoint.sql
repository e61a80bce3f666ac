DELETE FROM run_checkpoints WHERE tenant_id = ?1 AND run_id = ?2
