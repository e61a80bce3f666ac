//! The sink on a real NATS server with JetStream, named by `DVT_NATS_URL`, in streams that it removes again:
//! `DVT_BUS_INTEGRATION=1 DVT_NATS_URL=nats://127.0.0.1:4222 cargo test -p dvt-sink-nats --test it`.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken fixture must fail the test"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod bus;
mod order;
mod outage;
mod refusals;
mod relayed;
mod server;

use self::bus::Bus;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let url = std::env::var("DVT_NATS_URL").unwrap_or_default();
    let trials = trials(&url);
    if std::env::var("DVT_BUS_INTEGRATION").as_deref() != Ok("1") {
        println!(
            "NATS: {} tests are left out, they need DVT_BUS_INTEGRATION=1 and a server in DVT_NATS_URL",
            trials.len()
        );
        return ExitCode::SUCCESS;
    }
    if url.is_empty() {
        eprintln!(
            "NATS: DVT_BUS_INTEGRATION=1 asks for these tests, and DVT_NATS_URL names no server"
        );
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Tests by their paths, each with a runtime, a stream and subjects of its own.
macro_rules! trials {
    ($url:ident, [$($module:ident::$test:ident,)+]) => {
        vec![$({
            let url = $url.to_owned();
            Trial::test(concat!(stringify!($module), "::", stringify!($test)), move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()?;
                runtime.block_on(async {
                    let bus = Bus::connect(&url).await;
                    $module::$test(&bus).await;
                    bus.clean_up().await;
                });
                Ok(())
            })
        }),+]
    };
}

fn trials(url: &str) -> Vec<Trial> {
    let mut trials = trials!(
        url,
        [
            relayed::everything_arrives_once_and_in_order_with_its_bytes,
            relayed::many_runs_at_once_are_fast,
            order::a_repeated_event_is_stored_once_within_the_duplicate_window,
            order::a_repeated_event_is_stored_once_after_the_duplicate_window_too,
            order::without_a_subject_per_run_only_the_window_keeps_doubles_out,
            order::a_relay_that_comes_late_adds_nothing,
            order::what_a_crash_left_unacknowledged_is_recognised,
            order::another_log_of_the_same_name_is_not_taken_for_this_one,
            order::messages_that_are_consumed_or_foreign_do_not_block_a_run,
            refusals::a_missing_stream_is_told_with_the_command_that_makes_it,
            refusals::a_missing_stream_is_made_if_that_is_asked_for,
            refusals::a_stream_is_chosen_by_name_where_there_are_several,
            refusals::streams_that_cannot_keep_the_promise_are_refused,
            refusals::servers_that_are_not_there_are_told,
            refusals::events_that_are_too_large_are_rejected_with_size_and_limit,
            refusals::a_full_stream_is_unavailable_and_takes_events_when_there_is_room,
            refusals::a_stream_that_goes_away_is_unavailable_until_it_comes_back,
        ]
    );
    if server::program().is_some() {
        trials.extend(trials!(
            url,
            [
                outage::an_event_without_acknowledgement_is_not_stored,
                outage::a_server_that_comes_back_is_used_again,
            ]
        ));
    } else {
        println!(
            "NATS: 2 tests that stop a server are left out, they need the program nats-server on the PATH"
        );
    }
    trials
}
