-- Locks the heads of runs, so that whatever the same transaction reads next is newer than the wait for them.
-- $1 tenant ids, $2 run ids.
SELECT count(*) AS "locked!"
FROM (
    SELECT *
    FROM unnest($1::text[], $2::text[]) AS given (tenant_id, run_id)
    ORDER BY given.tenant_id COLLATE "C", given.run_id COLLATE "C"
) AS r
CROSS JOIN LATERAL (
    SELECT o.last_seq
    FROM outbox AS o
    WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
    FOR UPDATE
) AS head
