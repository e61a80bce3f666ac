//! What is in a schema, as text.

use dvt_adapter_postgres::SchemaName;
use sqlx::PgConnection;

const OBJECTS: &str = "
SELECT coalesce(string_agg(replace(line, $1, 'SCHEMA'), E'\n' ORDER BY line), '')
FROM (
    SELECT format('column %s.%s %s %s %s %s', table_name, column_name, data_type, collation_name, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = $1
    UNION ALL
    SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = to_regnamespace($1)
    UNION ALL
    SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = $1
    UNION ALL
    SELECT format('function %s %s %s %s', proname, proconfig, proacl, prosrc)
    FROM pg_proc WHERE pronamespace = to_regnamespace($1)
    UNION ALL
    SELECT format('trigger %s', pg_get_triggerdef(t.oid))
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = to_regnamespace($1) AND NOT t.tgisinternal
    UNION ALL
    SELECT format('table %s %s %s', relname, relkind, relacl) FROM pg_class WHERE relnamespace = to_regnamespace($1)
    UNION ALL
    SELECT format('schema %s %s', nspname, nspacl) FROM pg_namespace WHERE nspname = $1
) AS objects (line)
";

/// All objects of the schema, their definitions and their privileges.
pub(crate) async fn objects(conn: &mut PgConnection, schema: &SchemaName) -> String {
    sqlx::query_scalar(OBJECTS)
        .bind(schema.as_str())
        .fetch_one(conn)
        .await
        .unwrap()
}

/// What one of two schemas has and the other has not.
pub(crate) async fn difference(
    conn: &mut PgConnection,
    left: &SchemaName,
    right: &SchemaName,
) -> Vec<String> {
    let (left, right) = (objects(conn, left).await, objects(conn, right).await);
    let only = |these: &str, those: &str| -> Vec<String> {
        let those: Vec<_> = those.lines().collect();
        these
            .lines()
            .filter(|line| !those.contains(line))
            .map(str::to_owned)
            .collect()
    };
    [only(&left, &right), only(&right, &left)].concat()
}

const GRANTS: &str = "
SELECT kind || ' ' || name || ' ' || privilege_type
FROM (
    SELECT 'schema', nspname, coalesce(nspacl, acldefault('n', nspowner))
    FROM pg_namespace WHERE nspname = $1
    UNION ALL
    SELECT 'table', relname, coalesce(relacl, acldefault('r', relowner))
    FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT 'function', proname, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = to_regnamespace($1)
) AS objects (kind, name, acl), aclexplode(acl)
WHERE grantee = 0
ORDER BY 1
";

/// What everybody may do in the schema.
pub(crate) async fn public_grants(conn: &mut PgConnection, schema: &SchemaName) -> Vec<String> {
    sqlx::query_scalar(GRANTS)
        .bind(schema.as_str())
        .fetch_all(conn)
        .await
        .unwrap()
}

const LOCKS: &str = "
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1
    AND (classid::bigint << 32) | objid::bigint = hashtextextended(('dvt:' || $1) COLLATE \"C\", 0)
";

/// How many sessions hold or await the lock for migrating the schema.
pub(crate) async fn locks(conn: &mut PgConnection, schema: &SchemaName) -> i64 {
    sqlx::query_scalar(LOCKS)
        .bind(schema.as_str())
        .fetch_one(conn)
        .await
        .unwrap()
}
