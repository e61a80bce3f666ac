//! The schema: how it gets into a file, and whether it is there. Every write brings it up to date first.

use std::path::Path;

use sqlx::SqliteConnection;
use sqlx::migrate::Migrator;

use crate::fault::Fault;

static MIGRATOR: Migrator = sqlx::migrate!();

/// Marks our files in their headers: `DVT1`.
const APPLICATION_ID: i64 = 0x4456_5431;

const MARK: &str = "PRAGMA application_id = 1146508337";

const LEDGER: &str = "
CREATE TABLE IF NOT EXISTS schema_migrations (
    version      INTEGER NOT NULL PRIMARY KEY,
    description  TEXT NOT NULL,
    checksum     BLOB NOT NULL,
    applied_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) STRICT";

/// Whose a file is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It is empty.
    Nobody,
    /// It is a store.
    Dvt,
    /// It is somebody else's, as the text says.
    Other(String),
}

/// Whose the file is.
pub(crate) async fn owner(connection: &mut SqliteConnection) -> Result<Owner, sqlx::Error> {
    // In this order: whoever makes the file a store meanwhile marks it and fills it in one step, so where something of a store is
    // seen, its mark is seen, too.
    let table: Option<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema ORDER BY name LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    let id: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(connection)
        .await?;
    if id == APPLICATION_ID {
        return Ok(Owner::Dvt);
    }
    Ok(match table {
        None if id == 0 => Owner::Nobody,
        None => Owner::Other(format!("it belongs to application {id}")),
        Some(table) => Owner::Other(format!("it holds {table:?} of another program")),
    })
}

/// Refuses a file whose schema is not the one that this crate was made for.
pub(crate) async fn check(connection: &mut SqliteConnection, file: &Path) -> Result<(), Fault> {
    let applied = applied(connection).await.map_err(Fault::of)?;
    judge(&applied, file)?;
    if applied.len() < MIGRATOR.iter().count() {
        return Err(Fault::Outdated {
            file: file.to_owned(),
        });
    }
    Ok(())
}

/// Brings the schema up to date, all or nothing. Several processes may do so at once: one works, the others wait for it.
pub(crate) async fn migrate(connection: &mut SqliteConnection, file: &Path) -> Result<(), Fault> {
    if is_current(connection, file).await? {
        return Ok(());
    }
    execute(connection, "BEGIN IMMEDIATE").await?;
    // Whoever fails drops the connection, which undoes everything.
    execute(connection, MARK).await?;
    execute(connection, LEDGER).await?;
    let applied = applied(connection).await.map_err(Fault::of)?;
    judge(&applied, file)?;
    for migration in MIGRATOR.iter().skip(applied.len()) {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut *connection)
            .await
            .map_err(Fault::of)?;
        sqlx::query(
            "INSERT INTO schema_migrations (version, description, checksum) VALUES (?1, ?2, ?3)",
        )
        .bind(migration.version)
        .bind(migration.description.as_ref())
        .bind(migration.checksum.as_ref())
        .execute(&mut *connection)
        .await
        .map_err(Fault::of)?;
    }
    execute(connection, "COMMIT").await
}

async fn is_current(connection: &mut SqliteConnection, file: &Path) -> Result<bool, Fault> {
    if owner(connection).await.map_err(Fault::of)? != Owner::Dvt {
        return Ok(false);
    }
    let applied = applied(connection).await.map_err(Fault::of)?;
    judge(&applied, file)?;
    Ok(applied.len() == MIGRATOR.iter().count())
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), Fault> {
    let done = sqlx::query(statement).execute(connection).await;
    done.map(drop).map_err(Fault::of)
}

async fn applied(connection: &mut SqliteConnection) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as("SELECT version, checksum FROM schema_migrations ORDER BY version")
        .fetch_all(connection)
        .await
}

/// What is applied must be a beginning of what this crate knows.
fn judge(applied: &[(i64, Vec<u8>)], file: &Path) -> Result<(), Fault> {
    let mut known = MIGRATOR.iter();
    for (version, checksum) in applied {
        match known.next() {
            Some(migration)
                if migration.version == *version && *migration.checksum == **checksum => {}
            Some(migration) if migration.version == *version => {
                return Err(Fault::Edited {
                    file: file.to_owned(),
                    version: *version,
                });
            }
            _ => {
                return Err(Fault::Newer {
                    file: file.to_owned(),
                    version: *version,
                });
            }
        }
    }
    Ok(())
}
