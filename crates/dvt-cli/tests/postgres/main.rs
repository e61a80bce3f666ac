//! The command on a real PostgreSQL, named by `DATABASE_URL`, in schemas `dvt_it_…` that it removes again:
//! `DVT_PG_INTEGRATION=1 DATABASE_URL=postgres://… cargo test -p dvt-cli --test postgres`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod database;
mod doctor;
mod drain;
mod errors;
mod follow;
#[path = "../common/kept.rs"]
mod kept;
mod migrate;
mod outbox;
mod outbox_killed;
#[path = "../../../dvt-adapter-postgres/tests/it/own_server.rs"]
mod own_server;
#[path = "../common/ran.rs"]
mod ran;
mod reading;
mod round_trip;
mod same_as_memory;
mod verify;

use self::database::Database;

/// What the server of a test's own calls it.
mod server {
    pub(crate) use crate::database::random_schema as random_name;
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    let trials = trials(&url);
    if std::env::var("DVT_PG_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "dvt on PostgreSQL: {} tests are left out, they need DVT_PG_INTEGRATION=1 and a server in DATABASE_URL",
            trials.len()
        );
        return ExitCode::SUCCESS;
    }
    if url.is_empty() {
        eprintln!(
            "dvt on PostgreSQL: DVT_PG_INTEGRATION=1 asks for these tests, and DATABASE_URL names no server"
        );
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Tests by their paths, each with a fixture of its own.
macro_rules! trials {
    ($url:ident, $fixture:path, [$($module:ident::$test:ident,)+]) => {
        [$({
            let url = $url.to_owned();
            Trial::test(concat!(stringify!($module), "::", stringify!($test)), move || {
                $module::$test(&$fixture(&url));
                Ok(())
            })
        }),+]
    };
}

fn trials(url: &str) -> Vec<Trial> {
    let on_nothing = trials!(
        url,
        Database::without_store,
        [
            migrate::each_migration_is_applied_and_then_already_there,
            migrate::looking_changes_nothing,
            migrate::json_has_stable_names,
            migrate::the_dump_is_what_migrating_does,
            migrate::a_refusal_is_a_failure_of_the_store,
            migrate::killed_after_any_line_it_goes_on_where_it_was,
            follow::each_event_comes_once_also_across_a_crash_of_the_server,
            follow::a_recording_that_follows_waits_for_a_server_that_crashed,
        ]
    );
    let on_a_store = trials!(
        url,
        Database::migrated,
        [
            same_as_memory::recording_twice_appends_nothing,
            same_as_memory::a_run_is_drawn_as_on_memory,
            same_as_memory::events_are_delivered_as_on_memory,
            reading::runs_are_listed,
            reading::a_shown_run_tells_where_it_stands,
            reading::a_log_is_what_a_drain_delivers,
            drain::a_second_drain_delivers_nothing,
            drain::a_closed_pipe_acknowledges_nothing,
            outbox::a_dead_event_is_retried_then_skipped_and_the_rest_goes_out,
            outbox::a_parked_run_waits_for_its_operator,
            outbox::the_destination_moves_once,
            outbox::what_is_not_there_is_told_apart_from_what_does_not_fit,
            outbox::somebody_must_be_named,
            outbox_killed::all_dead_letters_are_retried_once_however_often_it_is_killed,
            doctor::a_healthy_database_is_told_line_by_line,
            doctor::problems_end_with_a_code_of_their_own,
            errors::a_password_is_never_printed,
            errors::a_missing_schema_names_the_remedy,
            errors::the_variables_name_store_and_schema,
            verify::each_corruption_is_found_and_named_and_the_other_run_is_not,
            round_trip::an_export_is_the_same_bytes_wherever_it_was_recorded,
        ]
    );
    on_nothing.into_iter().chain(on_a_store).collect()
}
