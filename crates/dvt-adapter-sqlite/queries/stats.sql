SELECT
    count(*) FILTER (WHERE o.parked_at IS NULL AND o.lease_expires_at > ?1) AS "leased_runs!: i64",
    count(*) FILTER (
        WHERE o.parked_at IS NULL AND (o.lease_expires_at IS NULL OR o.lease_expires_at <= ?1) AND o.due_at > ?1
    ) AS "backing_off_runs!: i64",
    count(*) FILTER (WHERE o.parked_at IS NOT NULL) AS "parked_runs!: i64",
    count(*) AS "pending_runs!: i64",
    coalesce(sum(o.last_seq - o.delivered_seq), 0) AS "undelivered_events!: i64",
    min(e.persisted_at) AS "oldest?: i64",
    (SELECT count(*) FROM outbox_dead_letters) AS "dead_letters!: i64",
    (SELECT count(*) FROM outbox_dead_letters WHERE resolution = 'Skipped') AS "skipped_events!: i64"
FROM outbox AS o
CROSS JOIN run_events AS e
    ON e.tenant_id = o.tenant_id AND e.run_id = o.run_id AND e.run_seq = o.delivered_seq + 1
WHERE o.delivered_seq < o.last_seq
