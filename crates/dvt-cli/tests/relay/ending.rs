//! How a relay ends.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::database::Database;
use crate::process::Process;
use crate::receiver::{Answer, Receiver};
use crate::stage::{PATIENCE, assert_taken, end, outbox, record, relay, wait_for_outbox};

pub(crate) fn once_ends_by_itself_when_all_is_delivered(database: &Database) {
    record(database, 20, 30);
    let receiver = Receiver::start();
    let ran = Process::start(relay(database, &receiver, &["--once"])).ended();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["delivered"], 600);
    assert_taken(&receiver, 20, 30);
}

#[derive(Deserialize)]
struct Line<'a> {
    run_id: String,
    run_seq: u64,
    #[serde(borrow)]
    payload: &'a RawValue,
}

pub(crate) fn a_hundred_thousand_events_of_two_thousand_runs_go_to_standard_output(
    database: &Database,
) {
    record(database, 2_000, 50);
    let ran = Process::start(database.command(&["relay", "--to", "stdout:", "--once"])).ended();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "100,000 events delivered\n");
    let mut heads = HashMap::<String, u64>::new();
    for line in ran.out.lines() {
        let line: Line<'_> = serde_json::from_str(line).unwrap();
        let head = heads.entry(line.run_id).or_default();
        *head += 1;
        assert_eq!(line.run_seq, *head);
        assert_eq!(line.payload.get(), format!("[{head}, 1e400]"));
    }
    assert_eq!(heads.len(), 2_000);
    assert!(heads.values().all(|head| *head == 50));
}

pub(crate) fn a_relay_that_is_told_to_end_finishes_what_is_in_flight(database: &Database) {
    record(database, 100, 100);
    let receiver = Receiver::start();
    let relay = Process::start(relay(database, &receiver, &[]));
    receiver.wait(PATIENCE, |books| books.count > 500);
    let summary = end(relay);
    // What the receiver has is what the outbox knows of: nothing comes twice.
    let taken = receiver.books(|books| books.count);
    assert_eq!(summary["delivered"], taken, "{summary}");
    let status = outbox(database);
    assert_eq!(status["pending_events"], 10_000 - taken);
    assert_eq!(
        (&status["leased_runs"], &summary["runs_cut_off"]),
        (&0.into(), &0.into())
    );
}

pub(crate) fn what_cannot_be_finished_is_given_back_and_said(database: &Database) {
    record(database, 3, 1);
    let receiver = Receiver::start();
    receiver.answer(|_| Answer::Hang);
    let relay = Process::start(relay(database, &receiver, &["--stop-within", "200ms"]));
    receiver.wait(PATIENCE, |books| books.refused == 3);
    relay.signal("TERM");
    let ran = relay.ended();
    assert_eq!(ran.code, 8, "{ran:?}");
    assert_eq!(ran.json()["runs_cut_off"], 3);
    let status = outbox(database);
    assert_eq!(
        (&status["due_runs"], &status["leased_runs"]),
        (&3.into(), &0.into())
    );
}

pub(crate) fn a_second_signal_ends_at_once(database: &Database) {
    record(database, 1, 1);
    let receiver = Receiver::start();
    receiver.answer(|_| Answer::Hang);
    let relay = Process::start(relay(database, &receiver, &["--stop-within", "1h"]));
    receiver.wait(PATIENCE, |books| books.refused == 1);
    relay.signal("TERM");
    // The first one is handled once the claim that was made is on its way to be given back or finished.
    std::thread::sleep(std::time::Duration::from_millis(300));
    relay.signal("INT");
    assert_eq!(relay.ended().code, 130);
}

pub(crate) fn events_that_come_later_are_delivered_too(database: &Database) {
    let receiver = Receiver::start();
    let relay = Process::start(relay(database, &receiver, &[]));
    record(database, 5, 5);
    receiver.wait(PATIENCE, |books| books.count == 25);
    wait_for_outbox(database, |status| status["pending_events"] == 0);
    assert_eq!(end(relay)["delivered"], 25);
    assert_taken(&receiver, 5, 5);
}
