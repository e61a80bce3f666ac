-- What keeps vacuum from removing the dead rows of this database, the oldest first.
-- $1 from which age on, in microseconds; $2 the same in transactions, where no age is told.
SELECT found.kind AS "kind!", found.name AS "name!", found.state, found.pid, found.micros, found.xids, found.pins AS "pins!"
FROM (
    SELECT 'session' AS kind,
           format('%s of %s', a.pid, coalesce(a.usename, a.backend_type, 'the server')) AS name,
           concat_ws(', ', nullif(a.application_name, ''), a.state) AS state,
           a.pid,
           (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000000)::bigint AS micros,
           greatest(age(a.backend_xmin), age(a.backend_xid)) AS xids,
           a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL AS pins
    FROM pg_stat_activity AS a
    WHERE (a.datname = current_database() OR a.datname IS NULL)
      -- Told only to those who may see it.
      AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
      AND a.pid <> pg_backend_pid()
      -- A vacuum does not hold back another.
      AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum AS v WHERE v.pid = a.pid)
    UNION ALL
    SELECT 'prepared transaction', p.gid, p.owner::text, NULL,
           (extract(epoch FROM clock_timestamp() - p.prepared) * 1000000)::bigint, age(p.transaction), true
    FROM pg_prepared_xacts AS p
    WHERE p.database = current_database()
    UNION ALL
    SELECT 'replication slot', s.slot_name::text, CASE WHEN s.active THEN 'active' ELSE 'inactive' END, NULL,
           NULL, age(s.xmin), true
    FROM pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL
) AS found
WHERE found.micros >= $1::bigint OR (found.micros IS NULL AND found.xids >= $2::int)
ORDER BY found.micros DESC NULLS LAST, found.xids DESC NULLS LAST, found.name
LIMIT 20
