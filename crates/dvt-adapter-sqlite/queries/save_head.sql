UPDATE outbox SET
    last_seq = ?3,
    last_persisted_at = ?4,
    status = ?5,
    pruned_at = ?6,
    delivered_seq = ?7,
    due_at = ?8,
    claim_no = ?9,
    lease_token = ?10,
    lease_expires_at = ?11,
    unfinished_claims = ?12,
    attempts = ?13,
    last_error = ?14,
    dead_letters = ?15,
    parked_at = ?16
WHERE tenant_id = ?1 AND run_id = ?2
