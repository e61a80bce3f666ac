//! The proxy, and a store behind it, on a real server:
//! `DVT_PG_INTEGRATION=1 DATABASE_URL=postgres://… cargo test -p dvt-chaos --test it`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod byte_cuts;
mod message_cuts;
mod operations;
mod proxied;
#[path = "../../../dvt-adapter-postgres/tests/it/server.rs"]
#[expect(dead_code, reason = "the adapter's tests need more of it")]
mod server;
#[path = "../../../dvt-adapter-postgres/tests/it/stage.rs"]
#[expect(dead_code, reason = "the adapter's tests need more of it")]
mod stage;
#[path = "../../../dvt-adapter-postgres/tests/it/trial.rs"]
mod trial;
mod wire;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = [wire::trials(), message_cuts::trials(), byte_cuts::trials()];
    let trials: Vec<Trial> = tests
        .into_iter()
        .flatten()
        .map(trial::Test::into_trial)
        .collect();
    if std::env::var("DVT_PG_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "{} tests of the proxy are left out: they need DVT_PG_INTEGRATION=1 and DATABASE_URL",
            trials.len()
        );
        return ExitCode::SUCCESS;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
