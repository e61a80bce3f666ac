-- Parks a run by hand, unless it is parked or has nothing pending. No row: the run is missing.
-- $1 tenant id, $2 run id, $3 the note's text, $4 clock shift in microseconds.
WITH head AS MATERIALIZED (
    SELECT locked.*, clock_timestamp() + $4::bigint * interval '1 microsecond' AS now,
           CASE
               WHEN locked.parked_at IS NOT NULL THEN 'parked_before'
               WHEN locked.delivered_seq = locked.last_seq THEN 'nothing_pending'
               ELSE 'parked'
           END AS verdict
    FROM (
        SELECT o.last_seq, o.delivered_seq, o.attempts, o.dead_letters, o.parked_at
        FROM outbox AS o
        WHERE o.tenant_id = $1 AND o.run_id = $2
        FOR UPDATE
    ) AS locked
),
buried AS (
    INSERT INTO outbox_dead_letters (tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at)
    SELECT $1, $2, head.dead_letters + 1, head.delivered_seq + 1, head.attempts, 'ParkedByOperator', $3, head.now
    FROM head
    WHERE head.verdict = 'parked'
    RETURNING dead_letter_no, run_seq, attempts, cause, error, dead_at
),
done AS (
    UPDATE outbox AS o
    -- The head and the cursor as the locked row has them: constraints are checked before the server notices that the row is
    -- newer than its snapshot, which may have seen nothing pending.
    SET last_seq = head.last_seq, delivered_seq = head.delivered_seq,
        due_at = NULL, lease_token = NULL, lease_expires_at = NULL, unfinished_claims = 0,
        dead_letters = o.dead_letters + 1, parked_at = head.now
    FROM head
    WHERE head.verdict = 'parked' AND o.tenant_id = $1 AND o.run_id = $2
)
SELECT head.verdict AS "verdict!", head.last_seq,
       letter.dead_letter_no AS "dead_letter_no?", letter.run_seq AS "run_seq?", letter.attempts AS "attempts?",
       letter.cause AS "cause?", letter.error AS "error?", letter.dead_at AS "dead_at?: Moment"
FROM head
LEFT JOIN LATERAL (
    SELECT * FROM buried
    UNION ALL
    -- As the snapshot saw it: one that was written while the head's lock was waited for is not here.
    SELECT l.dead_letter_no, l.run_seq, l.attempts, l.cause, l.error, l.dead_at
    FROM outbox_dead_letters AS l
    WHERE l.tenant_id = $1 AND l.run_id = $2 AND l.dead_letter_no = head.dead_letters AND head.verdict = 'parked_before'
) AS letter ON true
