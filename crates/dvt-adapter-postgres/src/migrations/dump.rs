use super::bootstrap;
use super::migration::Migration;
use crate::schema_name::SchemaName;

/// All migrations as one SQL script, for an administrator who runs it by hand. Needs no database.
///
/// It records what it does as [`migrate`](crate::migrate) would, which finds everything in place afterwards. Each
/// migration is one transaction that records itself first: where it is applied already, that is refused (23505) before
/// anything else happens. So a script that stopped half-way can be run again, by a client that goes on after errors.
#[must_use]
pub fn dump_sql(schema: &SchemaName) -> String {
    let mut script = format!(
        "\
-- The schema {schema} of DVT {}, for PostgreSQL 14 and newer. Run it as the role that is to own the tables:
--   psql --no-psqlrc --set ON_ERROR_STOP=1 --file THIS_FILE
-- A duplicate key in schema_migrations says that a migration is applied already.

{}
SET search_path = {}, pg_temp;
",
        env!("CARGO_PKG_VERSION"),
        bootstrap::sql(schema),
        schema.quoted(),
    );
    for migration in Migration::embedded() {
        script.push_str(&transaction(&migration));
    }
    script
}

fn transaction(migration: &Migration) -> String {
    let checksum: String = migration
        .checksum()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let description = migration.description().replace('\'', "''");
    let (version, sql) = (migration.version(), migration.sql().trim_end());
    format!(
        "
BEGIN;
INSERT INTO schema_migrations (version, description, success, checksum, execution_time)
VALUES ({version}, '{description}', true, decode('{checksum}', 'hex'), -1);

{sql}
COMMIT;
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_there_and_records_itself_first() {
        let script = dump_sql(&"shop".parse().unwrap());
        assert!(script.contains("SET search_path = \"shop\", pg_temp;"));
        let parts: Vec<_> = script.split("\nBEGIN;\n").skip(1).collect();
        let all = Migration::embedded();
        assert_eq!(parts.len(), all.len());
        for (part, migration) in parts.iter().zip(all) {
            assert!(part.starts_with("INSERT INTO schema_migrations "), "{part}");
            assert!(part.contains(migration.sql().trim_end()), "{migration}");
            assert!(part.ends_with("\nCOMMIT;\n"), "{part}");
        }
    }
}
