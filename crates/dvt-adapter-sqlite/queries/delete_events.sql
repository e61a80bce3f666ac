DELETE FROM run_events WHERE tenant_id = ?1 AND run_id = ?2
