#![doc = include_str!("../README.md")]

mod append;
mod clock_shift;
mod connect_error;
mod connector;
mod database;
mod event_row;
mod fault;
mod file;
mod head;
mod link;
mod log;
mod migrations;
mod outbox;
mod session;
mod settings;
mod store;
mod value;

pub use self::clock_shift::ClockShift;
pub use self::connect_error::ConnectError;
pub use self::settings::SqliteSettings;
pub use self::store::SqliteStore;
