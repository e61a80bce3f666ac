-- A page of the runs with undelivered events: those that are due some time, and those that are parked.
-- $1 and $2 only greater keys, $3 only this tenant's if set, $4 and $5 only this run if set, $6 limit.
-- $7 clock shift in microseconds.
SELECT p.tenant_id AS "tenant_id!", p.run_id AS "run_id!", p.delivered_seq AS "delivered_seq!", p.last_seq AS "last_seq!",
       p.claim_no AS "claim_no!", p.attempts AS "attempts!", p.unfinished_claims AS "unfinished_claims!",
       p.last_error, p.due_at AS "due_at: Moment", p.lease_expires_at AS "lease_expires_at: Moment",
       p.parked_at AS "parked_at: Moment", p.dead_letters AS "dead_letters!",
       statement_timestamp() + $7::bigint * interval '1 microsecond' AS "now!: Moment",
       coalesce(p.pending_since, oldest.persisted_at) AS "pending_since: Moment"
FROM (
    SELECT o.* FROM outbox AS o WHERE o.due_at IS NOT NULL
    UNION ALL
    SELECT o.* FROM outbox AS o WHERE o.parked_at IS NOT NULL
) AS p
LEFT JOIN LATERAL (
    SELECT e.persisted_at
    FROM run_events AS e
    WHERE e.tenant_id = p.tenant_id AND e.run_id = p.run_id AND e.run_seq = p.delivered_seq + 1
      AND p.pending_since IS NULL
    LIMIT 1
) AS oldest ON true
WHERE (p.tenant_id, p.run_id) > ($1::text, $2::text)
  AND ($3::text IS NULL OR p.tenant_id = $3)
  AND ($4::text IS NULL OR (p.tenant_id = $4 AND p.run_id = $5))
ORDER BY p.tenant_id, p.run_id
LIMIT $6
