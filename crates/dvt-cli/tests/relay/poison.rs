//! One event that never gets through.

use dvt_contracts::RunKey;

use crate::database::Database;
use crate::process::Process;
use crate::receiver::{Answer, Receiver};
use crate::stage::{PATIENCE, assert_taken, end, record, relay, run_key, wait_for_outbox};

const RUNS: usize = 1_000;
const EVENTS: usize = 10;
/// The event that is refused: in the middle of its run.
const POISON: u64 = 5;

pub(crate) fn an_event_that_gets_503_parks_its_run_alone(database: &Database) {
    parks_alone(database, Answer::Unavailable, "30s");
}

pub(crate) fn an_event_that_hangs_parks_its_run_alone(database: &Database) {
    // Longer than a healthy publish takes on a busy machine.
    parks_alone(database, Answer::Hang, "3s");
}

fn parks_alone(database: &Database, answer: Answer, publish_timeout: &str) {
    record(database, RUNS, EVENTS);
    let poisoned: RunKey = run_key(7);
    let receiver = Receiver::start();
    let run = poisoned.clone();
    receiver.answer(
        move |event| match event.run == run && event.run_seq == POISON {
            true => answer,
            false => Answer::Take,
        },
    );
    let bounds = [
        "--max-attempts",
        "3",
        "--retry-initial",
        "20ms",
        "--retry-cap",
        "40ms",
        "--publish-timeout",
        publish_timeout,
        "--verdict-within",
        "200ms",
    ];
    let relay = Process::start(relay(database, &receiver, &bounds));
    let expected = RUNS * EVENTS - (EVENTS + 1 - POISON as usize);

    let parked = wait_for_outbox(database, |status| {
        status["parked_runs"] == 1 && status["due_runs"] == 0 && status["leased_runs"] == 0
    });

    assert_eq!(parked["dead_letters"], 1, "{parked}");
    let letters = database.dvt(&["outbox", "dead-letters", "--json"]).done();
    let letter = letters.json();
    assert_eq!(letter["run_id"], "run-7");
    assert_eq!(
        (&letter["run_seq"], &letter["attempts"]),
        (&POISON.into(), &3.into())
    );
    receiver.wait(PATIENCE, |books| books.count == expected);
    receiver.books(|books| {
        assert_eq!(books.taken[&poisoned].len() as u64, POISON - 1);
        assert_eq!(books.gaps, []);
    });

    receiver.answer(|_| Answer::Take);
    database
        .dvt(&[
            "outbox", "retry", "run-7", "--tenant", "t", "--by", "ann", "--reason", "mended",
        ])
        .done();
    receiver.wait(PATIENCE, |books| books.count == RUNS * EVENTS);
    wait_for_outbox(database, |status| status["pending_events"] == 0);
    let summary = end(relay);
    assert_eq!(summary["failed_attempts"], 3, "{summary}");
    assert_taken(&receiver, RUNS, EVENTS);
}
