//! The command on a real PostgreSQL, named by `DATABASE_URL`, in schemas `dvt_it_…` that it removes again.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod database;
mod drain;
mod errors;
mod reading;
mod same_as_memory;

use self::database::Database;

type Test = fn(&Database);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if std::env::var("DVT_PG_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "dvt on PostgreSQL: left out, it needs DVT_PG_INTEGRATION=1 and a server in DATABASE_URL"
        );
        return ExitCode::SUCCESS;
    }
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    if url.is_empty() {
        eprintln!(
            "dvt on PostgreSQL: DVT_PG_INTEGRATION=1 asks for these tests, and DATABASE_URL names no server"
        );
        return ExitCode::FAILURE;
    }
    let tests: [(&str, Test); 11] = [
        (
            "recording_twice_appends_nothing",
            same_as_memory::recording_twice_appends_nothing,
        ),
        (
            "a_run_is_drawn_as_on_memory",
            same_as_memory::a_run_is_drawn_as_on_memory,
        ),
        (
            "events_are_delivered_as_on_memory",
            same_as_memory::events_are_delivered_as_on_memory,
        ),
        ("runs_are_listed", reading::runs_are_listed),
        (
            "a_shown_run_tells_where_it_stands",
            reading::a_shown_run_tells_where_it_stands,
        ),
        (
            "a_log_is_what_a_drain_delivers",
            reading::a_log_is_what_a_drain_delivers,
        ),
        (
            "a_second_drain_delivers_nothing",
            drain::a_second_drain_delivers_nothing,
        ),
        (
            "a_closed_pipe_acknowledges_nothing",
            drain::a_closed_pipe_acknowledges_nothing,
        ),
        (
            "a_password_is_never_printed",
            errors::a_password_is_never_printed,
        ),
        (
            "a_missing_schema_names_the_remedy",
            errors::a_missing_schema_names_the_remedy,
        ),
        (
            "the_variables_name_store_and_schema",
            errors::the_variables_name_store_and_schema,
        ),
    ];
    let trials = tests.map(|(name, test)| {
        let url = url.clone();
        Trial::test(name, move || {
            test(&Database::migrated(&url));
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}
