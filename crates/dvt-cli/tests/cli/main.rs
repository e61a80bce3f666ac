//! The command as a whole: arguments and input in, output and exit code out.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;
mod dbt;
mod drain;
mod key;
mod migrate;
#[path = "../common/ran.rs"]
mod ran;
mod record;
mod store;
