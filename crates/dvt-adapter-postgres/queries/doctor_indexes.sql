-- The indexes on the tables of schema $1.
SELECT c.relname::text AS "name!", t.relname::text AS "table!", i.indisvalid AND i.indisready AND i.indislive AS "is_valid!"
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
WHERE t.relnamespace = to_regnamespace($1) AND t.relkind IN ('r', 'p')
ORDER BY c.relname
