-- Ends an open dead letter by a retry or a skip, and lets its run go on. Tells a resolved one as it is.
-- No row: the run is missing. No letter in the row: the run has none of that number.
-- $1 tenant id, $2 run id, $3 number, $4 Retried or Skipped, $5 who, $6 why, $7 clock shift in microseconds.
WITH head AS MATERIALIZED (
    SELECT o.last_seq FROM outbox AS o WHERE o.tenant_id = $1 AND o.run_id = $2 FOR UPDATE
),
letter AS MATERIALIZED (
    SELECT locked.*, clock_timestamp() + $7::bigint * interval '1 microsecond' AS now
    FROM head
    CROSS JOIN LATERAL (
        SELECT l.run_seq, l.attempts, l.cause, l.error, l.dead_at,
               l.resolution, l.resolved_by, l.resolved_reason, l.resolved_at
        FROM outbox_dead_letters AS l
        -- The comparison with the head makes the head's lock come first.
        WHERE l.tenant_id = $1 AND l.run_id = $2 AND l.dead_letter_no = $3::bigint AND l.run_seq <= head.last_seq
        FOR UPDATE
    ) AS locked
),
resolved AS (
    UPDATE outbox_dead_letters AS l
    SET resolution = $4, resolved_by = $5, resolved_reason = $6, resolved_at = letter.now
    FROM letter
    WHERE letter.resolution IS NULL AND l.tenant_id = $1 AND l.run_id = $2 AND l.dead_letter_no = $3::bigint
),
done AS (
    UPDATE outbox AS o
    SET delivered_seq = CASE WHEN $4::text = 'Skipped' THEN letter.run_seq ELSE o.delivered_seq END,
        pending_since = CASE WHEN $4::text = 'Skipped' THEN NULL ELSE o.pending_since END,
        due_at = CASE WHEN $4::text = 'Retried' OR letter.run_seq < o.last_seq THEN letter.now END,
        attempts = 0,
        last_error = NULL,
        parked_at = NULL
    FROM letter
    WHERE letter.resolution IS NULL AND o.tenant_id = $1 AND o.run_id = $2
)
SELECT letter.run_seq AS "run_seq?", letter.attempts AS "attempts?", letter.cause AS "cause?", letter.error AS "error?",
       letter.dead_at AS "dead_at?: Moment", letter.now AS "now?: Moment",
       letter.resolution AS "resolution?", letter.resolved_by AS "resolved_by?",
       letter.resolved_reason AS "resolved_reason?", letter.resolved_at AS "resolved_at?: Moment"
FROM head
LEFT JOIN letter ON true
