use dvt_contracts::Timestamp;

use super::error::MigrateError;
use super::ledger::Ledger;
use super::migration::Migration;
use super::session::Session;
use crate::settings::PostgresSettings;

/// Whether a migration is applied.
#[derive(Debug, Clone, Copy)]
pub struct MigrationState {
    /// The migration.
    pub migration: Migration,
    /// When it was applied, by the database's clock; `None` while it is pending.
    pub applied_at: Option<Timestamp>,
}

/// The migrations of this binary, in order, and whether each is applied. Changes nothing; a schema that is not there has
/// all of them pending.
///
/// Needs a Tokio runtime with I/O and time.
///
/// # Errors
/// [`MigrateError`], with the same refusals as [`migrate`](crate::migrate).
pub async fn status(settings: &PostgresSettings) -> Result<Vec<MigrationState>, MigrateError> {
    let mut session = Session::open(settings).await?;
    let schema = settings.schema();
    let ledger = Ledger::read(&mut session.conn, schema).await;
    session.close().await;
    let doing = || format!("reading the migrations of schema {schema}");
    let ledger = ledger.map_err(|error| MigrateError::statement(doing(), error))??;
    ledger.pending()?;
    let state = |migration: Migration| MigrationState {
        migration,
        applied_at: ledger.applied_at(&migration),
    };
    Ok(Migration::embedded().into_iter().map(state).collect())
}
