-- A page of the dead letters. $1-$3 only those after this tenant id, run id and number, $4 only this tenant's if set,
-- $5 only open ones if true, $6 limit.
SELECT l.tenant_id, l.run_id, l.dead_letter_no, l.run_seq, l.attempts, l.cause, l.error, l.dead_at AS "dead_at: Moment",
       l.resolution, l.resolved_by, l.resolved_reason, l.resolved_at AS "resolved_at: Moment"
FROM outbox_dead_letters AS l
WHERE (l.tenant_id, l.run_id, l.dead_letter_no) > ($1::text, $2::text, $3::bigint)
  AND ($4::text IS NULL OR l.tenant_id = $4)
  AND (NOT $5::boolean OR l.resolution IS NULL)
ORDER BY l.tenant_id, l.run_id, l.dead_letter_no
LIMIT $6
