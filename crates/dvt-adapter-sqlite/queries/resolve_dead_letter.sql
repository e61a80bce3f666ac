UPDATE outbox_dead_letters
SET resolution = ?4, resolved_by = ?5, resolved_reason = ?6, resolved_at = ?7
WHERE tenant_id = ?1 AND run_id = ?2 AND dead_letter_no = ?3
