//! I11 and I12.

use super::super::Invariant::*;
use super::story::*;
use crate::history::*;

#[test]
fn i11_a_lease_is_not_given_to_another_before_it_ends() {
    let stolen = |at: u64| {
        let mut second = claimed(2, 1, 3);
        second.unfinished = 2;
        let mut story = Story::clean()
            .without(70)
            .without(90)
            .without(110)
            .without(130)
            .without(150);
        story.entries.retain(|Entry(at, ..)| *at != 125);
        story.call(
            "r2",
            (at, at + 10),
            Call::Claim,
            Reply::Claimed(vec![second]),
        );
        story.call("r2", (at + 20, at + 30), acknowledge(2, 3), done());
        story.run(|run| {
            run.events.truncate(3);
            (run.last_seq, run.delivered_seq) = (3, 3);
        })
    };
    stolen(500_000).breaks(&[I11]);
    stolen(1_100_000).breaks(&[]);
}

#[test]
fn i11_an_ended_lease_changes_nothing() {
    let late = Story::clean().then("r", (145, 149), acknowledge(1, 3), done());
    assert!(late.verdict().stale_marks_applied > 0);
    late.breaks(&[I11]);
    let refused = Story::clean().then(
        "r",
        (145, 149),
        acknowledge(1, 3),
        Reply::Leases(vec![LeaseAnswer::Stale(5)]),
    );
    refused.breaks(&[]);
    assert_eq!(refused.verdict().stale_marks_refused, 1);
}

#[test]
fn i11_the_cursor_moves_by_marks_only() {
    let released = Story::clean().replying(
        70,
        &Reply::Leases(vec![LeaseAnswer::Refused("gone".to_owned())]),
    );
    assert!(released.verdict().broken().contains_key(&I11));
}

#[test]
fn i12_attempts_are_counted_as_they_happened() {
    let failing = |attempts: u32| {
        let mut second = claimed(2, 4, 5);
        second.attempts = attempts;
        let fail = Call::Fail {
            held: held(1),
            seq: 4,
        };
        Story::clean()
            .without(70)
            .replying(50, &Reply::Claimed(vec![claimed(1, 1, 5)]))
            .replying(110, &Reply::Claimed(vec![second]))
            .then("r", (70, 80), fail, Reply::Failed(FailAnswer::BackingOff))
    };
    failing(1).breaks(&[]);
    failing(2).breaks(&[I12]);
}

#[test]
fn i12_unfinished_claims_are_counted() {
    let mut second = claimed(2, 4, 5);
    second.unfinished = 2;
    Story::clean()
        .replying(110, &Reply::Claimed(vec![second]))
        .breaks(&[I12]);
}

#[test]
fn i12_a_dead_letter_has_all_its_attempts_and_was_told_of() {
    let died = |attempts: u64, outcome: FailAnswer| {
        let fail = Call::Fail {
            held: held(9),
            seq: 2,
        };
        Story::clean()
            .then("r", (71, 72), fail, Reply::Failed(outcome))
            .run(|run| {
                run.dead_letters.push(FinalDeadLetter {
                    attempts,
                    ..dead(1, 2, Some("Retried"))
                });
                run.dead_letter_count = 1;
            })
    };
    died(4, FailAnswer::Parked(1)).breaks(&[]);
    died(3, FailAnswer::Parked(1)).breaks(&[I12]);
    died(4, FailAnswer::BackingOff).breaks(&[I12]);
}
