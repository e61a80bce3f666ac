-- Ends leases and makes their runs due: at most one for each run. The rows tell each one's verdict: missing, stale, or done.
-- $1 tenant ids, $2 run ids, $3 tokens, $4 clock shift in microseconds.
WITH answer AS MATERIALIZED (
    SELECT r.*, head.delivered_seq,
           clock_timestamp() + $4::bigint * interval '1 microsecond' AS now,
           CASE
               WHEN head.delivered_seq IS NULL THEN 'missing'
               WHEN head.lease_token IS DISTINCT FROM r.lease_token THEN 'stale'
               ELSE 'done'
           END AS verdict
    FROM (
        SELECT *
        FROM unnest($1::text[], $2::text[], $3::uuid[])
            WITH ORDINALITY AS given (tenant_id, run_id, lease_token, answer_no)
        ORDER BY given.tenant_id COLLATE "C", given.run_id COLLATE "C"
    ) AS r
    LEFT JOIN LATERAL (
        SELECT o.delivered_seq, o.lease_token
        FROM outbox AS o
        WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
        FOR UPDATE
    ) AS head ON true
),
done AS (
    UPDATE outbox AS o
    SET due_at = a.now, lease_token = NULL, lease_expires_at = NULL, unfinished_claims = 0
    FROM answer AS a
    WHERE a.verdict = 'done' AND o.tenant_id = a.tenant_id AND o.run_id = a.run_id
)
SELECT answer_no AS "answer_no!", verdict AS "verdict!", delivered_seq AS "delivered_seq?", NULL::bigint AS "last_seq?",
       NULL::bigint AS "claim_no?", NULL::timestamptz AS "expires_at?: Moment"
FROM answer
