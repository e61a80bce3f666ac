//! The command against a real server: `DVT_PG_INTEGRATION=1 DATABASE_URL=postgres://… cargo test -p dvt-cli --test it`.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

#[path = "it/migrate.rs"]
mod migrate;
#[path = "it/schema.rs"]
mod schema;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = migrate::trials();
    if std::env::var("DVT_PG_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "{} integration tests are left out: they need DVT_PG_INTEGRATION=1 and DATABASE_URL",
            trials.len()
        );
        return ExitCode::SUCCESS;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
