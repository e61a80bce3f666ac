//! The one place where SQL is put together. Nothing goes into it but a [`SchemaName`].

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use crate::schema_name::SchemaName;

/// Makes the schema if it is not there, and the table that records migrations. One statement of the simple protocol:
/// all of it happens, or nothing.
pub(super) async fn run(conn: &mut PgConnection, schema: &SchemaName) -> Result<(), sqlx::Error> {
    conn.execute(AssertSqlSafe(sql(schema))).await?;
    Ok(())
}

/// An existing schema keeps its privileges: it may be somebody's. `CREATE SCHEMA IF NOT EXISTS` would need the privilege
/// to create schemas even where there is nothing to create.
pub(super) fn sql(schema: &SchemaName) -> String {
    let quoted = schema.quoted();
    format!(
        "\
DO $dvt$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '{schema}') THEN
        CREATE SCHEMA {quoted};
        REVOKE ALL ON SCHEMA {quoted} FROM PUBLIC;
    END IF;
END
$dvt$;

CREATE TABLE IF NOT EXISTS {quoted}.schema_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
);
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_word_is_a_name_like_any_other() {
        let sql = sql(&"user".parse().unwrap());
        assert!(sql.contains("nspname = 'user'"));
        assert!(sql.contains("CREATE SCHEMA \"user\";"));
        assert!(sql.contains("CREATE TABLE IF NOT EXISTS \"user\".schema_migrations"));
    }
}
