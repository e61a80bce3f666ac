//! The command as a whole: arguments and input in, output and exit code out.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

mod common;
mod dbt;
mod drain;
mod every_command;
mod follow;
#[path = "../common/kept.rs"]
mod kept;
mod key;
mod killed;
mod migrate;
#[path = "../common/ran.rs"]
mod ran;
mod record;
mod retry;
mod shared_file;
mod store;
mod temporal;
mod verify;
