//! `dvt relay` as processes between a real PostgreSQL, named by `DATABASE_URL`, and real receivers:
//! `DVT_PG_INTEGRATION=1 DATABASE_URL=postgres://… cargo test -p dvt-cli --test relay`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

#[expect(dead_code, reason = "tests of other commands share it")]
#[path = "../postgres/database.rs"]
mod database;
mod ending;
mod metrics;
mod outage;
mod poison;
mod process;
#[path = "../common/ran.rs"]
mod ran;
mod receiver;
mod refusals;
mod shared_work;
mod stage;

use self::database::Database;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    let trials = trials(&url);
    if std::env::var("DVT_PG_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "dvt relay: {} tests are left out, they need DVT_PG_INTEGRATION=1 and a server in DATABASE_URL",
            trials.len()
        );
        return ExitCode::SUCCESS;
    }
    if url.is_empty() {
        eprintln!(
            "dvt relay: DVT_PG_INTEGRATION=1 asks for these tests, and DATABASE_URL names no server"
        );
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Tests by their paths, each with a store of its own.
macro_rules! trials {
    ($url:ident, [$($module:ident::$test:ident,)+]) => {
        vec![$({
            let url = $url.to_owned();
            Trial::test(concat!(stringify!($module), "::", stringify!($test)), move || {
                $module::$test(&Database::migrated(&url));
                Ok(())
            })
        }),+]
    };
}

fn trials(url: &str) -> Vec<Trial> {
    trials!(
        url,
        [
            shared_work::four_relays_deliver_everything_in_order_through_a_kill_and_a_stop,
            outage::an_outage_longer_than_every_retry_budget_parks_nothing_and_loses_nothing,
            outage::a_relay_that_was_to_end_says_that_the_sink_is_down,
            outage::a_receiver_that_is_not_there_is_said_before_anything_is_claimed,
            poison::an_event_that_gets_503_parks_its_run_alone,
            poison::an_event_that_hangs_parks_its_run_alone,
            ending::once_ends_by_itself_when_all_is_delivered,
            ending::a_hundred_thousand_events_of_two_thousand_runs_go_to_standard_output,
            ending::a_relay_that_is_told_to_end_finishes_what_is_in_flight,
            ending::what_cannot_be_finished_is_given_back_and_said,
            ending::a_second_signal_ends_at_once,
            ending::events_that_come_later_are_delivered_too,
            metrics::metrics_and_probes_tell_how_the_relay_and_the_store_are_doing,
            metrics::an_address_that_is_taken_is_said,
            refusals::command_lines_that_lead_nowhere_are_refused_with_the_remedy,
            refusals::another_destination_is_refused_with_the_command_that_moves_the_outbox,
        ]
    )
}
