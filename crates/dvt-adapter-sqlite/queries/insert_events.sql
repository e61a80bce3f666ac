-- OR ROLLBACK: a statement that might fail alone would keep a copy of each page that it changes, only to be undone alone.
-- ?1 describes the events, one array each; ?2 holds their payloads one after another, from which each takes its piece.
INSERT OR ROLLBACK INTO run_events (
    tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt, idempotency_key,
    emitted_at, persisted_at, payload_size, payload
)
SELECT
    e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7,
    e.value ->> 8, e.value ->> 9, e.value ->> 10, CAST(substr(?2, e.value ->> 11, e.value ->> 10) AS TEXT)
FROM jsonb_each(?1) AS e
