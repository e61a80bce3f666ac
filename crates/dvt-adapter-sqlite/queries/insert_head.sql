INSERT INTO outbox (tenant_id, run_id) VALUES (?1, ?2)
