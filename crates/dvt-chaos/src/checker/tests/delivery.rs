//! I7 to I10.

use super::super::Invariant::*;
use super::story::*;
use crate::history::*;

#[test]
fn i7_an_event_is_in_one_state() {
    Story::clean()
        .run(|run| run.dead_letter_count = 1)
        .breaks(&[I7]);
    // Open, and not parked: neither pending nor dead.
    let open = Story::clean().run(|run| {
        run.dead_letters.push(FinalDeadLetter {
            cause: "ParkedByOperator".to_owned(),
            ..dead(1, 5, None)
        });
        run.dead_letter_count = 1;
    });
    open.breaks(&[I7]);
}

#[test]
fn i8_what_never_arrives_is_found() {
    let mut story = Story::clean();
    story.entries.retain(|Entry(at, ..)| *at != 125);
    let verdict = story.verdict();
    assert_eq!(verdict.undelivered, 2);
    story.breaks(&[I8]);
    // It may be dead, for a recorded cause.
    let given_up = story.run(|run| {
        let cause = "ParkedByOperator".to_owned();
        run.dead_letters = vec![dead(1, 4, Some("Skipped")), dead(2, 5, Some("Skipped"))];
        run.dead_letters
            .iter_mut()
            .for_each(|dead| dead.cause.clone_from(&cause));
        run.dead_letter_count = 2;
    });
    given_up.breaks(&[]);
}

#[test]
fn i9_first_arrivals_are_in_order_and_late_repetitions_harmless() {
    let arriving = |numbers: &[u64]| {
        let mut story = Story::clean();
        for Entry(at, _, record) in &mut story.entries {
            if *at == 125 {
                *record = arrival(2, numbers);
            }
        }
        story
    };
    arriving(&[5, 4]).breaks(&[I9]);
    assert_eq!(arriving(&[5, 4]).verdict().reordered, 1);
    arriving(&[4, 5, 2, 4]).breaks(&[]);
}

#[test]
fn i10_what_arrives_is_what_was_appended() {
    let mut story = Story::clean();
    for Entry(at, _, record) in &mut story.entries {
        if let (125, Record::Arrival(arrival)) = (*at, record) {
            arrival.events[0].2 += 1;
        }
    }
    story.breaks(&[I10]);
}
