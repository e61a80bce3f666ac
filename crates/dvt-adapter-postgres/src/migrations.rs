//! The schema: how it gets into a database, and whether it is there.

mod bootstrap;
mod check;
mod dump;
mod error;
mod fault;
mod ledger;
mod lock;
mod migration;
mod run;
mod session;
mod status;

pub(crate) use self::check::check;
pub use self::dump::dump_sql;
pub use self::error::MigrateError;
pub use self::fault::SchemaFault;
pub use self::migration::Migration;
pub use self::run::{MigrationReport, MigrationStep, StepOutcome, migrate};
pub use self::status::{MigrationState, status};

/// The table that records what is applied. Unqualified: the connection's `search_path` begins with the schema.
const TABLE: &str = "schema_migrations";
