-- Whether schema $1 is there, and whether this role may use it.
SELECT to_regnamespace($1) IS NOT NULL AS "exists!",
       coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'USAGE'), false) AS "is_usable!"
