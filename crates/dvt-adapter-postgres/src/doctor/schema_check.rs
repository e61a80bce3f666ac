//! What the schema holds: migrations, privileges, indexes, triggers.

use sqlx::PgConnection;

use super::finding::{Check, Finding};
use super::server_check::ServerRow;
use crate::migrations;
use crate::schema_name::SchemaName;

/// What a program's role needs, and nothing else: `migrations/README.md` grants it.
const NEEDED: [(&str, &[&str]); 7] = [
    ("schema_migrations", &["SELECT"]),
    ("run_events", &["SELECT", "INSERT", "DELETE"]),
    ("run_metadata", &["SELECT", "INSERT", "UPDATE"]),
    ("outbox", &["SELECT", "INSERT", "UPDATE"]),
    ("outbox_dead_letters", &["SELECT", "INSERT", "UPDATE"]),
    ("outbox_destination", &["SELECT", "INSERT", "UPDATE"]),
    ("run_checkpoints", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
];

/// The indexes that statements rely on, with their tables.
const INDEXES: [(&str, &str); 11] = [
    ("outbox_dead_letters_open", "outbox_dead_letters"),
    ("outbox_dead_letters_pkey", "outbox_dead_letters"),
    ("outbox_destination_pkey", "outbox_destination"),
    ("outbox_due_at", "outbox"),
    ("outbox_parked_at", "outbox"),
    ("outbox_pkey", "outbox"),
    ("run_checkpoints_pkey", "run_checkpoints"),
    ("run_events_idempotency", "run_events"),
    ("run_events_pkey", "run_events"),
    ("run_metadata_pkey", "run_metadata"),
    ("schema_migrations_pkey", "schema_migrations"),
];

/// The triggers that keep the log append-only.
const TRIGGERS: [&str; 2] = ["run_events_append_only", "run_events_delete_pruned"];

/// The schema under examination.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaCheck<'a> {
    pub(super) schema: &'a SchemaName,
    pub(super) server: &'a ServerRow,
}

impl SchemaCheck<'_> {
    /// Whether there is a schema at all.
    pub(super) async fn exists(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let row = sqlx::query_file!("queries/doctor_schema.sql", self.schema.as_str())
            .fetch_one(connection)
            .await?;
        Ok(row.exists)
    }

    pub(super) async fn migrations(
        &self,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Vec<Finding>> {
        Ok(vec![
            match migrations::check(connection, self.schema).await? {
                Ok(()) => Finding::good(
                    Check::Migrations,
                    format!("schema {} is that of this binary", self.schema),
                ),
                Err(fault) => Finding::fault(
                    Check::Migrations,
                    fault.to_string(),
                    "see the message; dvt migrate --status tells more",
                ),
            },
        ])
    }

    pub(super) async fn privileges(
        &self,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Vec<Finding>> {
        let (schema, role) = (self.schema, &self.server.role);
        let mut found = Vec::new();
        let usable = sqlx::query_file!("queries/doctor_schema.sql", schema.as_str())
            .fetch_one(&mut *connection)
            .await?;
        if !usable.is_usable {
            found.push(Finding::fault(
                Check::Privileges,
                format!("role {role} may not use schema {schema}"),
                format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            ));
        }
        let asked = NEEDED
            .iter()
            .flat_map(|(table, privileges)| privileges.iter().map(|one| (*table, *one)));
        // Nobody needs it: that is asked to tell when it is given.
        let (tables, privileges): (Vec<String>, Vec<String>) = asked
            .chain([("run_events", "UPDATE")])
            .map(|(table, one)| (table.to_owned(), one.to_owned()))
            .unzip();
        let rows = sqlx::query_file!(
            "queries/doctor_privileges.sql",
            schema.as_str(),
            &tables,
            &privileges
        )
        .fetch_all(connection)
        .await?;
        let (mut owner, mut too_much) = (false, false);
        for (table, privileges) in NEEDED {
            let missing: Vec<&str> = rows
                .iter()
                .filter(|row| row.table == table && !row.is_granted)
                .map(|row| row.privilege.as_str())
                .filter(|privilege| privileges.contains(privilege))
                .collect();
            if !missing.is_empty() {
                let missing = missing.join(", ");
                found.push(Finding::fault(
                    Check::Privileges,
                    format!("role {role} lacks {missing} on {table}"),
                    format!("GRANT {missing} ON {schema}.{table} TO {role}"),
                ));
            }
        }
        for row in &rows {
            owner |= row.is_owner;
            too_much |= row.table == "run_events" && row.privilege == "UPDATE" && row.is_granted;
        }
        if found.is_empty() {
            found.push(match (self.server.is_superuser, owner, too_much) {
                (true, _, _) => Finding::note(
                    Check::Privileges,
                    format!("role {role} is a superuser: enough, and far more than programs need"),
                ),
                (_, true, _) => Finding::note(
                    Check::Privileges,
                    format!("role {role} owns the tables: enough, and more than programs need"),
                ),
                (_, _, true) => Finding::note(
                    Check::Privileges,
                    format!("role {role} has UPDATE on run_events, which nothing needs"),
                ),
                _ => Finding::good(
                    Check::Privileges,
                    format!("role {role} has what programs need"),
                ),
            });
        }
        Ok(found)
    }

    pub(super) async fn indexes(
        &self,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Vec<Finding>> {
        let schema = self.schema;
        let rows = sqlx::query_file!("queries/doctor_indexes.sql", schema.as_str())
            .fetch_all(connection)
            .await?;
        let mut found = Vec::new();
        for row in rows.iter().filter(|row| !row.is_valid) {
            let (name, table) = (&row.name, &row.table);
            let is_ours = INDEXES.iter().any(|(ours, _)| ours == name);
            found.push(if is_ours {
                Finding::fault(
                    Check::Indexes,
                    format!("index {name} on {table} is not valid: statements do not use it"),
                    format!("REINDEX INDEX CONCURRENTLY {schema}.{}", quoted(name)),
                )
            } else {
                Finding::warning(
                    Check::Indexes,
                    format!(
                        "index {name} on {table} is not valid: it costs each write and serves no statement"
                    ),
                    format!(
                        "DROP INDEX CONCURRENTLY {schema}.{}, and make it again if it is wanted",
                        quoted(name)
                    ),
                )
            });
        }
        for (name, table) in INDEXES {
            if !rows
                .iter()
                .any(|row| row.name == name && row.table == table)
            {
                found.push(Finding::fault(
                    Check::Indexes,
                    format!("index {name} on {table} is missing"),
                    "make it again as dvt migrate --dump-sql shows it",
                ));
            }
        }
        if found.is_empty() {
            found.push(Finding::good(
                Check::Indexes,
                format!("all {} are there and valid", INDEXES.len()),
            ));
        }
        Ok(found)
    }

    pub(super) async fn triggers(
        &self,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Vec<Finding>> {
        let schema = self.schema;
        let rows = sqlx::query_file!("queries/doctor_triggers.sql", schema.as_str())
            .fetch_all(connection)
            .await?;
        let mut found = Vec::new();
        for name in TRIGGERS {
            let row = rows
                .iter()
                .find(|row| row.name == name && row.table == "run_events");
            match row {
                Some(row) if row.is_enabled => {}
                Some(_) => found.push(Finding::fault(
                    Check::Triggers,
                    format!("trigger {name} is disabled: nothing keeps events from being changed"),
                    format!("ALTER TABLE {schema}.run_events ENABLE TRIGGER {name}"),
                )),
                None => found.push(Finding::fault(
                    Check::Triggers,
                    format!("trigger {name} is missing: nothing keeps events from being changed"),
                    "make it again as dvt migrate --dump-sql shows it",
                )),
            }
        }
        if found.is_empty() {
            found.push(Finding::good(Check::Triggers, "the log is append-only"));
        }
        Ok(found)
    }
}

/// A name as SQL takes it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
