//! Several relays, one of them killed and one stopped in the middle.

use std::thread::sleep;
use std::time::Duration;

use crate::database::Database;
use crate::process::Process;
use crate::receiver::Receiver;
use crate::stage::{PATIENCE, assert_taken, end, record, relay, wait_for_outbox};

const RUNS: usize = 1_000;
const EVENTS: usize = 100;

pub(crate) fn four_relays_deliver_everything_in_order_through_a_kill_and_a_stop(
    database: &Database,
) {
    record(database, RUNS, EVENTS);
    let receiver = Receiver::start();
    let start = || {
        let command = relay(
            database,
            &receiver,
            &["--lease", "1s", "--max-events", "20"],
        );
        Process::start(command)
    };
    let (killed, stopped, others) = (start(), start(), [start(), start()]);
    let total = RUNS * EVENTS;

    receiver.wait(PATIENCE, |books| books.count >= total / 5);
    killed.kill();
    receiver.wait(PATIENCE, |books| books.count >= total / 5 * 2);
    stopped.signal("STOP");
    // Three leases: the time is what is tested.
    sleep(Duration::from_secs(3));
    stopped.signal("CONT");

    receiver.wait(PATIENCE, |books| books.count >= total);
    wait_for_outbox(database, |status| status["pending_events"] == 0);
    let summaries: Vec<_> = others.into_iter().chain([stopped]).map(end).collect();
    assert_taken(&receiver, RUNS, EVENTS);
    let lost = summaries[2]["leases_lost"].as_u64().unwrap();
    assert!(lost > 0, "{summaries:?}");
    let (duplicates, stale) = receiver.books(|books| (books.duplicates, books.stale));
    println!("{duplicates} duplicates, {stale} stale arrivals, {lost} leases lost: {summaries:?}");
}
