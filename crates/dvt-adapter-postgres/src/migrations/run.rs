use std::time::Duration;

use sqlx::PgConnection;
use sqlx::migrate::Migrate as _;

use super::error::MigrateError;
use super::ledger::Ledger;
use super::migration::Migration;
use super::session::Session;
use super::{TABLE, bootstrap, lock};
use crate::schema_name::SchemaName;
use crate::settings::PostgresSettings;

/// What happened to one migration.
#[derive(Debug, Clone, Copy)]
pub struct MigrationStep {
    /// The migration.
    pub migration: Migration,
    /// What happened.
    pub outcome: StepOutcome,
}

/// Whether a migration had to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// This call applied it; it is committed.
    Applied {
        /// How long that took.
        took: Duration,
    },
    /// It was applied before.
    AlreadyThere,
}

/// What a call of [`migrate`] did, migration by migration.
#[derive(Debug, Clone, Default)]
pub struct MigrationReport {
    /// All migrations of this binary, in order.
    pub steps: Vec<MigrationStep>,
}

impl MigrationReport {
    /// How many migrations this call applied.
    #[must_use]
    pub fn applied(&self) -> usize {
        let is_applied =
            |step: &&MigrationStep| matches!(step.outcome, StepOutcome::Applied { .. });
        self.steps.iter().filter(is_applied).count()
    }
}

/// Brings the schema to the state that this binary needs, creating it if it is not there, and tells `progress` of each
/// migration, in order: of an applied one when it is committed.
///
/// - Each migration and the record of it are one transaction. A call that is dropped, or a process that is killed, at any
///   moment leaves a schema from which the next call goes on; its lock ends with its connection.
/// - Several processes may call it at once: one migrates, the others wait for it
///   ([`PostgresSettings::with_migration_wait`]) and find everything there.
/// - Where nothing is to be done it changes nothing, and needs no privilege but to read `schema_migrations`.
/// - No statement of a migration waits longer than four seconds for a lock of others.
/// - A schema that it creates is its owner's alone: `PUBLIC` has no privileges on it.
///
/// Needs a Tokio runtime with I/O and time.
///
/// # Errors
/// [`MigrateError`]; a [`SchemaFault`](crate::SchemaFault) in it means that nothing was changed.
pub async fn migrate(
    settings: &PostgresSettings,
    progress: &mut (dyn FnMut(&MigrationStep) + Send),
) -> Result<MigrationReport, MigrateError> {
    let mut session = Session::open(settings).await?;
    let migrated = run(&mut session.conn, settings, progress).await;
    session.close().await;
    migrated
}

async fn run(
    conn: &mut PgConnection,
    settings: &PostgresSettings,
    progress: &mut (dyn FnMut(&MigrationStep) + Send),
) -> Result<MigrationReport, MigrateError> {
    let schema = settings.schema();
    let pending = read(conn, schema).await?.pending()?;
    let mut recorder = Recorder {
        report: MigrationReport::default(),
        progress,
    };
    if pending.is_empty() {
        recorder.already_there(&pending);
        return Ok(recorder.report);
    }
    lock::acquire(conn, schema, settings.migration_wait()).await?;
    let applied = apply_pending(conn, schema, &mut recorder).await;
    lock::release(conn, schema).await;
    applied.map(|()| recorder.report)
}

/// Under the lock: what was read before it may be history.
async fn apply_pending(
    conn: &mut PgConnection,
    schema: &SchemaName,
    recorder: &mut Recorder<'_>,
) -> Result<(), MigrateError> {
    let pending = read(conn, schema).await?.pending()?;
    recorder.already_there(&pending);
    if pending.is_empty() {
        return Ok(());
    }
    prepare(conn, schema).await?;
    for migration in &pending {
        let doing = || format!("migration {migration}");
        let took = match conn.apply(TABLE, migration.inner()).await {
            Ok(took) => took,
            Err(error) => return Err(MigrateError::statement(doing(), cause(error))),
        };
        recorder.record(*migration, StepOutcome::Applied { took });
    }
    // A COMMIT that the server turned into a ROLLBACK looks like success to the driver.
    match read(conn, schema).await?.pending()?.first() {
        None => Ok(()),
        Some(lost) => Err(MigrateError::statement(
            format!("migration {lost}"),
            sqlx::Error::Protocol("its transaction was rolled back".to_owned()),
        )),
    }
}

/// Makes the schema and its table. Others make schemas without asking for our lock: one lost race is no failure, since
/// the schema is there then.
async fn prepare(conn: &mut PgConnection, schema: &SchemaName) -> Result<(), MigrateError> {
    let lost_race = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(|error| error.code());
        matches!(code.as_deref(), Some("23505" | "42P06" | "42P07"))
    };
    let made = match bootstrap::run(conn, schema).await {
        Err(error) if lost_race(&error) => bootstrap::run(conn, schema).await,
        made => made,
    };
    made.map_err(|error| MigrateError::statement(format!("creating schema {schema}"), error))
}

async fn read(conn: &mut PgConnection, schema: &SchemaName) -> Result<Ledger, MigrateError> {
    let ledger = Ledger::read(conn, schema).await;
    let doing = || format!("reading the migrations of schema {schema}");
    Ok(ledger.map_err(|error| MigrateError::statement(doing(), error))??)
}

/// The statement's error, out of the driver's wrappers.
fn cause(error: sqlx::migrate::MigrateError) -> sqlx::Error {
    match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => error,
        other => sqlx::Error::from(other),
    }
}

/// Collects the report and tells it as it grows.
struct Recorder<'a> {
    report: MigrationReport,
    progress: &'a mut (dyn FnMut(&MigrationStep) + Send),
}

impl Recorder<'_> {
    fn record(&mut self, migration: Migration, outcome: StepOutcome) {
        let step = MigrationStep { migration, outcome };
        (self.progress)(&step);
        self.report.steps.push(step);
    }

    /// All that are not pending.
    fn already_there(&mut self, pending: &[Migration]) {
        let first = pending.first().map_or(i64::MAX, Migration::version);
        for migration in Migration::embedded() {
            if migration.version() < first {
                self.record(migration, StepOutcome::AlreadyThere);
            }
        }
    }
}
