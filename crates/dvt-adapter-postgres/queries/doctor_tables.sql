-- The tables of schema $1, and what vacuum knows of them.
SELECT c.relname::text AS "name!",
       coalesce(pg_stat_get_live_tuples(c.oid), 0) AS "live!",
       coalesce(pg_stat_get_dead_tuples(c.oid), 0) AS "dead!",
       greatest(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)) AS "vacuumed_at: Moment",
       greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NOT NULL AS "analyzed!",
       age(c.relfrozenxid) AS "age!",
       current_setting('autovacuum_freeze_max_age')::int AS "freeze_max_age!",
       coalesce(c.reloptions::text[] && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off'], false) AS "never_vacuumed!",
       c.relpersistence = 'u' AS "is_unlogged!",
       row_security_active(c.oid) AS "hides_rows!"
FROM pg_class AS c
WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p')
ORDER BY c.relname
