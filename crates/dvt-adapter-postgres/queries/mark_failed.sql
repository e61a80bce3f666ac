-- Fails an event: acknowledges what came before it, counts the attempt, and backs off, parks or skips, all in one.
-- Verdicts: stale, out_of_range (nothing written), backing_off, parked, skipped. No row: the run is missing.
-- $1 tenant id, $2 run id, $3 token, $4 last event under the lease, $5 the event, $6 error, $7 attempts that end it,
-- $8 longest delay in microseconds after one failure, two, and so on, $9 whether delays are spread, $10 whether it is skipped
-- at the end, $11 and $12 who skips and why, $13 clock shift in microseconds.
WITH head AS MATERIALIZED (
    SELECT locked.*,
           least(CASE WHEN $5::bigint - 1 > locked.delivered_seq THEN 0 ELSE locked.attempts END + 1, 4294967295) AS failures,
           clock_timestamp() + $13::bigint * interval '1 microsecond' AS now,
           CASE
               WHEN locked.lease_token IS DISTINCT FROM $3::uuid THEN 'stale'
               WHEN $5::bigint <= locked.delivered_seq OR $5::bigint > least($4::bigint, locked.last_seq) THEN 'out_of_range'
           END AS refusal
    FROM (
        SELECT o.last_seq, o.delivered_seq, o.lease_token, o.attempts, o.dead_letters
        FROM outbox AS o
        WHERE o.tenant_id = $1 AND o.run_id = $2
        FOR UPDATE
    ) AS locked
),
answer AS MATERIALIZED (
    SELECT head.*,
           head.dead_letters + 1 AS dead_letter_no,
           coalesce(
               head.refusal,
               CASE WHEN head.failures < $7::bigint THEN 'backing_off' WHEN $10::boolean THEN 'skipped' ELSE 'parked' END
           ) AS verdict,
           head.now + delay.micros * interval '1 microsecond' AS until
    FROM head
    CROSS JOIN LATERAL (
        -- random() is below 1: the whole range from zero to the ceiling, evenly.
        SELECT CASE WHEN $9::boolean THEN floor(random() * (ceiling.micros + 1)) ELSE ceiling.micros END AS micros
        FROM (SELECT ($8::bigint[])[least(head.failures, cardinality($8::bigint[]))] AS micros) AS ceiling
    ) AS delay
),
buried AS (
    INSERT INTO outbox_dead_letters (
        tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at,
        resolution, resolved_by, resolved_reason, resolved_at
    )
    SELECT $1, $2, a.dead_letter_no, $5, a.failures, 'AttemptsExhausted', $6, a.now,
           CASE WHEN a.verdict = 'skipped' THEN 'Skipped' END,
           CASE WHEN a.verdict = 'skipped' THEN $11::text END,
           CASE WHEN a.verdict = 'skipped' THEN $12::text END,
           CASE WHEN a.verdict = 'skipped' THEN a.now END
    FROM answer AS a
    WHERE a.verdict IN ('parked', 'skipped')
),
done AS (
    UPDATE outbox AS o
    SET delivered_seq = CASE WHEN a.verdict = 'skipped' THEN $5::bigint ELSE $5::bigint - 1 END,
        -- The cursor stays only if the first undelivered event failed.
        pending_since = CASE WHEN a.verdict <> 'skipped' AND $5::bigint - 1 = o.delivered_seq THEN o.pending_since END,
        due_at = CASE a.verdict
            WHEN 'backing_off' THEN a.until
            WHEN 'skipped' THEN CASE WHEN $5::bigint < o.last_seq THEN a.now END
        END,
        lease_token = NULL,
        lease_expires_at = NULL,
        unfinished_claims = 0,
        attempts = CASE WHEN a.verdict = 'skipped' THEN 0 ELSE a.failures END,
        last_error = CASE WHEN a.verdict = 'skipped' THEN NULL ELSE $6::text END,
        dead_letters = CASE WHEN a.verdict = 'backing_off' THEN o.dead_letters ELSE a.dead_letter_no END,
        parked_at = CASE WHEN a.verdict = 'parked' THEN a.now END
    FROM answer AS a
    WHERE a.refusal IS NULL AND o.tenant_id = $1 AND o.run_id = $2
)
SELECT verdict AS "verdict!", delivered_seq AS "delivered_seq!", least($4::bigint, last_seq) AS "last_seq!",
       dead_letter_no AS "dead_letter_no!", until AS "until!: Moment"
FROM answer
