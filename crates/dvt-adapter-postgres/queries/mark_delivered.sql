-- Moves cursors and ends the leases: at most one acknowledgement for each run.
-- The rows tell each one's verdict: missing, stale, out_of_range (nothing written), or done.
-- $1 tenant ids, $2 run ids, $3 tokens, $4 last events under the leases, $5 last events delivered, $6 clock shift in microseconds.
WITH answer AS MATERIALIZED (
    SELECT r.*, head.delivered_seq, least(r.lease_seq, head.last_seq) AS last_seq,
           clock_timestamp() + $6::bigint * interval '1 microsecond' AS now,
           CASE
               WHEN head.last_seq IS NULL THEN 'missing'
               WHEN head.lease_token IS DISTINCT FROM r.lease_token THEN 'stale'
               WHEN r.through <= head.delivered_seq OR r.through > least(r.lease_seq, head.last_seq) THEN 'out_of_range'
               ELSE 'done'
           END AS verdict
    FROM (
        SELECT *
        FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[])
            WITH ORDINALITY AS given (tenant_id, run_id, lease_token, lease_seq, through, answer_no)
        ORDER BY given.tenant_id COLLATE "C", given.run_id COLLATE "C"
    ) AS r
    LEFT JOIN LATERAL (
        SELECT o.delivered_seq, o.last_seq, o.lease_token
        FROM outbox AS o
        WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
        FOR UPDATE
    ) AS head ON true
),
done AS (
    UPDATE outbox AS o
    SET delivered_seq = a.through,
        pending_since = NULL,
        due_at = CASE WHEN a.through < o.last_seq THEN a.now END,
        lease_token = NULL,
        lease_expires_at = NULL,
        unfinished_claims = 0,
        attempts = 0,
        last_error = NULL
    FROM answer AS a
    WHERE a.verdict = 'done' AND o.tenant_id = a.tenant_id AND o.run_id = a.run_id
)
SELECT answer_no AS "answer_no!", verdict AS "verdict!", delivered_seq AS "delivered_seq?", last_seq AS "last_seq?",
       NULL::bigint AS "claim_no?", NULL::timestamptz AS "expires_at?: Moment"
FROM answer
