#![doc = include_str!("../README.md")]

mod append;
mod clock_shift;
mod connect_error;
mod connector;
mod database;
mod doctor;
mod event_columns;
mod fault;
mod floor;
mod hints;
mod in_transaction;
mod jitter;
mod log;
mod migrations;
mod moment;
mod outbox;
mod parsed;
mod schema_name;
mod server;
mod settings;
mod sqlstate;
mod statement;
mod store;

pub use self::clock_shift::ClockShift;
pub use self::connect_error::ConnectError;
pub use self::doctor::{Check, Doctor, Finding, Severity};
pub use self::hints::HintListener;
pub use self::migrations::{
    MigrateError, Migration, MigrationReport, MigrationState, MigrationStep, SchemaFault,
    StepOutcome, dump_sql, migrate, status,
};
pub use self::schema_name::{InvalidSchemaName, SchemaName};
pub use self::settings::{InvalidSettings, PostgresSettings};
pub use self::store::PostgresStore;
