//! A receiver that is down for all.

use crate::database::Database;
use crate::process::Process;
use crate::receiver::{Answer, Receiver};
use crate::stage::{PATIENCE, assert_taken, end, outbox, record, relay, wait_for_outbox};

const RUNS: usize = 1_000;
const EVENTS: usize = 100;

pub(crate) fn an_outage_longer_than_every_retry_budget_parks_nothing_and_loses_nothing(
    database: &Database,
) {
    record(database, RUNS, EVENTS);
    let receiver = Receiver::start();
    receiver.answer(|_| Answer::Unavailable);
    // Two attempts and a tenth of a second: the budget of a run is long gone when the receiver returns.
    let bounds = [
        "--max-attempts",
        "2",
        "--retry-initial",
        "50ms",
        "--retry-cap",
        "50ms",
        "--verdict-within",
        "100ms",
        "--probe-interval",
        "20ms",
    ];
    let relay = Process::start(relay(database, &receiver, &bounds));
    // Thousands of probes: each run was tried more often than its attempts allow.
    receiver.wait(PATIENCE, |books| books.refused >= RUNS * 3 / 2);
    let tried_most = receiver.books(|books| books.refused_by_id.values().copied().max());
    let during = outbox(database);
    let peak_during = relay.peak_kib();

    receiver.answer(|_| Answer::Take);
    receiver.wait(PATIENCE, |books| books.count >= RUNS * EVENTS);
    wait_for_outbox(database, |status| status["pending_events"] == 0);
    let peak = relay.peak_kib();
    let summary = end(relay);

    assert_taken(&receiver, RUNS, EVENTS);
    assert_eq!(during["pending_events"], RUNS * EVENTS, "{during}");
    assert_eq!(
        (&during["parked_runs"], &during["dead_letters"]),
        (&0.into(), &0.into())
    );
    let after = outbox(database);
    assert_eq!(
        (&after["parked_runs"], &after["dead_letters"]),
        (&0.into(), &0.into())
    );
    assert_eq!(summary["failed_attempts"], 0, "{summary}");
    assert!(peak < 64 * 1024, "{peak} KiB");
    println!(
        "one event was tried {tried_most:?} times; peak {peak_during} KiB during the outage, {peak} KiB after it"
    );
}

pub(crate) fn a_relay_that_was_to_end_says_that_the_sink_is_down(database: &Database) {
    record(database, 3, 1);
    let receiver = Receiver::start();
    receiver.answer(|_| Answer::Unavailable);
    let relay = Process::start(relay(
        database,
        &receiver,
        &["--once", "--verdict-within", "50ms"],
    ));
    let ran = relay.ended();
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("error: the sink is down: "), "{ran:?}");
    assert!(ran.err.contains("503"), "{ran:?}");
    let status = outbox(database);
    assert_eq!(
        (&status["pending_events"], &status["due_runs"]),
        (&3.into(), &3.into())
    );
}

pub(crate) fn a_receiver_that_is_not_there_is_said_before_anything_is_claimed(database: &Database) {
    record(database, 1, 1);
    let receiver = Receiver::start();
    let command = relay(database, &receiver, &["--once"]);
    drop(receiver);
    let ran = Process::start(command).ended();
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(
        ran.err
            .contains("error: cannot deliver to http://127.0.0.1:"),
        "{ran:?}"
    );
    let status = outbox(database);
    assert_eq!(status["due_runs"], 1);
    assert_eq!(status["destination"], serde_json::Value::Null);
}
