//! A DVT store over one file: a toy that does everything the ports ask for, to begin an adapter from.
//!
//! | read | for |
//! | --- | --- |
//! | `run_state_store.rs`, `outbox_storage.rs` | the two ports, a line or two for each method |
//! | `run.rs`, `append.rs`, `bootstrap.rs` | the log of a run |
//! | `cursor.rs`, `delivery.rs`, `dead_letters.rs`, `claim.rs` | its outbox: a cursor, not a copy |
//! | `state.rs`, `row/` | what is in the file, as JSON |
//! | `store_file.rs`, `file_error.rs` | how it is read and replaced, and what can go wrong |
//! | [`FileStore`], [`Clock`] | what a user sees |
//!
//! `tests/conformance.rs` proves it.

#![forbid(unsafe_code)]

mod append;
mod bootstrap;
mod claim;
mod clock;
mod cursor;
mod dead_letters;
mod delivery;
mod file_error;
mod file_store;
mod outbox_storage;
mod row;
mod run;
mod run_state_store;
mod state;
mod store_file;

pub use self::clock::Clock;
pub use self::file_store::FileStore;
