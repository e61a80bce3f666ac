-- The triggers on the tables of schema $1.
SELECT g.tgname::text AS "name!", t.relname::text AS "table!", g.tgenabled IN ('O', 'A') AS "is_enabled!"
FROM pg_trigger AS g
JOIN pg_class AS t ON t.oid = g.tgrelid
WHERE t.relnamespace = to_regnamespace($1) AND NOT g.tgisinternal
ORDER BY g.tgname
