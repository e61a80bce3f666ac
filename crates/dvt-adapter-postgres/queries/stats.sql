-- The whole outbox in numbers. $1 clock shift in microseconds.
WITH clock AS MATERIALIZED (
    SELECT statement_timestamp() + $1::bigint * interval '1 microsecond' AS now
),
pending AS (
    SELECT count(*) FILTER (WHERE p.parked_at IS NULL AND p.due_at <= clock.now) AS due_runs,
           count(*) FILTER (WHERE p.parked_at IS NULL AND p.due_at > clock.now AND p.lease_expires_at > clock.now) AS leased_runs,
           count(*) FILTER (
               WHERE p.parked_at IS NULL AND p.due_at > clock.now
                 AND (p.lease_expires_at IS NULL OR p.lease_expires_at <= clock.now)
           ) AS backing_off_runs,
           count(*) FILTER (WHERE p.parked_at IS NOT NULL) AS parked_runs,
           -- The event after a parked run's cursor is dead, those behind it are pending.
           sum(p.last_seq - p.delivered_seq - CASE WHEN p.parked_at IS NULL THEN 0 ELSE 1 END)::bigint AS pending_events,
           min(coalesce(p.pending_since, oldest.persisted_at)) AS oldest_pending_at
    FROM (
        SELECT o.* FROM outbox AS o WHERE o.due_at IS NOT NULL
        UNION ALL
        SELECT o.* FROM outbox AS o WHERE o.parked_at IS NOT NULL
    ) AS p
    CROSS JOIN clock
    LEFT JOIN LATERAL (
        SELECT e.persisted_at
        FROM run_events AS e
        WHERE e.tenant_id = p.tenant_id AND e.run_id = p.run_id AND e.run_seq = p.delivered_seq + 1
          AND p.pending_since IS NULL
        LIMIT 1
    ) AS oldest ON true
),
letters AS (
    SELECT count(*) AS dead_letters, count(*) FILTER (WHERE l.resolution = 'Skipped') AS skipped_events
    FROM outbox_dead_letters AS l
)
SELECT pending.due_runs AS "due_runs!", pending.leased_runs AS "leased_runs!",
       pending.backing_off_runs AS "backing_off_runs!", pending.parked_runs AS "parked_runs!",
       coalesce(pending.pending_events, 0) AS "pending_events!",
       letters.dead_letters AS "dead_letters!", letters.skipped_events AS "skipped_events!",
       clock.now AS "now!: Moment", pending.oldest_pending_at AS "oldest_pending_at: Moment",
       d.destination AS "destination?", d.retargeted_from AS "retargeted_from?", d.retargeted_by AS "retargeted_by?",
       d.retargeted_reason AS "retargeted_reason?", d.retargeted_at AS "retargeted_at?: Moment"
FROM clock
CROSS JOIN pending
CROSS JOIN letters
LEFT JOIN outbox_destination AS d ON true
