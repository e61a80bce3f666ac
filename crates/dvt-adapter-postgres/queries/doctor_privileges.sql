-- Whether this role has the privileges $3 on the tables $2 of schema $1, and whether it owns them. A table that is not there is left out.
SELECT needed.table_name AS "table!", needed.privilege AS "privilege!",
       has_table_privilege(c.oid, needed.privilege) AS "is_granted!",
       pg_has_role(c.relowner, 'USAGE') AS "is_owner!"
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS needed (table_name, privilege, place)
JOIN pg_class AS c ON c.relnamespace = to_regnamespace($1) AND c.relname = needed.table_name AND c.relkind IN ('r', 'p')
ORDER BY needed.place
