UPDATE outbox_destination
SET destination = ?1, retargeted_from = ?2, retargeted_by = ?3, retargeted_reason = ?4, retargeted_at = ?5
