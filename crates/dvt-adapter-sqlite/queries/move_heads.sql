-- What appends do to heads: ?1 is an array of [tenant, run, head, its moment, status, due]. OR ROLLBACK: see insert_events.sql.
UPDATE OR ROLLBACK outbox SET
    last_seq = h.value ->> 2,
    last_persisted_at = h.value ->> 3,
    status = h.value ->> 4,
    due_at = h.value ->> 5
FROM jsonb_each(?1) AS h
WHERE outbox.tenant_id = h.value ->> 0 AND outbox.run_id = h.value ->> 1
