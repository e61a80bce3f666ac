#![doc = include_str!("../README.md")]

mod clock_shift;
mod schema_name;
mod settings;

pub use self::clock_shift::ClockShift;
pub use self::schema_name::{InvalidSchemaName, SchemaName};
pub use self::settings::{InvalidSettings, PostgresSettings};
