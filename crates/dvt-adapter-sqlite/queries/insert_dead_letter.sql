INSERT INTO outbox_dead_letters (tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
