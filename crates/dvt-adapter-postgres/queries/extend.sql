-- Moves the ends of leases: at most one for each run. The rows tell each one's verdict: missing, stale, or done.
-- $1 tenant ids, $2 run ids, $3 tokens, $4 length in microseconds, $5 clock shift in microseconds.
WITH answer AS MATERIALIZED (
    SELECT asked.*, asked.now + $4::bigint * interval '1 microsecond' AS expires_at,
           CASE
               WHEN asked.delivered_seq IS NULL THEN 'missing'
               WHEN asked.head_token IS DISTINCT FROM asked.lease_token OR asked.lease_expires_at <= asked.now THEN 'stale'
               ELSE 'done'
           END AS verdict
    FROM (
        SELECT r.*, head.delivered_seq, head.claim_no, head.head_token, head.lease_expires_at,
               clock_timestamp() + $5::bigint * interval '1 microsecond' AS now
        FROM (
            SELECT *
            FROM unnest($1::text[], $2::text[], $3::uuid[])
                WITH ORDINALITY AS given (tenant_id, run_id, lease_token, answer_no)
            ORDER BY given.tenant_id COLLATE "C", given.run_id COLLATE "C"
        ) AS r
        LEFT JOIN LATERAL (
            SELECT o.delivered_seq, o.claim_no, o.lease_token AS head_token, o.lease_expires_at
            FROM outbox AS o
            WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
            FOR UPDATE
        ) AS head ON true
        OFFSET 0
    ) AS asked
),
done AS (
    UPDATE outbox AS o
    SET lease_expires_at = a.expires_at, due_at = a.expires_at
    FROM answer AS a
    WHERE a.verdict = 'done' AND o.tenant_id = a.tenant_id AND o.run_id = a.run_id
)
SELECT answer_no AS "answer_no!", verdict AS "verdict!", delivered_seq AS "delivered_seq?", NULL::bigint AS "last_seq?",
       claim_no AS "claim_no?", expires_at AS "expires_at?: Moment"
FROM answer
