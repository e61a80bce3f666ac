#![doc = include_str!("../README.md")]

mod clock_shift;
mod migrations;
mod schema_name;
mod settings;

pub use self::clock_shift::ClockShift;
pub use self::migrations::{
    MigrateError, Migration, MigrationReport, MigrationState, MigrationStep, SchemaFault,
    StepOutcome, dump_sql, migrate, status,
};
pub use self::schema_name::{InvalidSchemaName, SchemaName};
pub use self::settings::{InvalidSettings, PostgresSettings};
