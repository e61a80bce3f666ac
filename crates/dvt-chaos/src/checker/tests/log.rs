//! I1 to I4.

use super::super::Invariant::*;
use super::story::*;
use crate::history::*;

#[test]
fn i1_an_acknowledged_event_that_is_not_there_is_lost() {
    let story = Story::clean().run(|run| {
        run.events.pop();
        (run.last_seq, run.delivered_seq) = (4, 4);
    });
    let verdict = story.verdict();
    assert_eq!(verdict.lost, 1);
    assert!(verdict.broken().contains_key(&I1));
}

#[test]
fn i1_an_event_with_another_content_is_lost() {
    let story = Story::clean().run(|run| run.events[4].2 += 1);
    assert!(story.verdict().broken().contains_key(&I1));
}

#[test]
fn i1_of_a_pruned_run_what_arrived_counts() {
    let pruned = |run: &mut FinalRun| {
        run.pruned = true;
        run.events.clear();
    };
    Story::clean().run(pruned).breaks(&[]);
    let mut story = Story::clean().run(pruned);
    story.entries.retain(|Entry(at, ..)| *at != 125);
    story.breaks(&[I1, I8]);
}

#[test]
fn i2_a_key_stored_twice_is_found() {
    let story = Story::clean().run(|run| {
        run.events.push((
            6,
            "key-5".to_owned(),
            fingerprint(5),
            "StepReported".to_owned(),
        ));
        (run.last_seq, run.delivered_seq) = (6, 6);
    });
    let verdict = story.verdict();
    assert_eq!(verdict.duplicated, 1);
    assert!(verdict.broken().contains_key(&I2));
}

#[test]
fn i2_a_failed_append_leaves_nothing() {
    Story::clean()
        .replying(90, &Reply::Refused("Transient".to_owned()))
        .breaks(&[I2]);
    // An unknown one may have left something, or not.
    Story::clean()
        .replying(90, &Reply::Unknown("cut".to_owned()))
        .breaks(&[]);
}

#[test]
fn i2_a_duplicate_needs_an_append_that_may_have_stored_it() {
    let retried = |first: Reply| {
        let again = (append(RUN, &[4, 5]), appended(5, &[4, 5], true));
        Story::clean()
            .replying(90, &first)
            .then("w.0", (101, 105), again.0, again.1)
    };
    retried(Reply::Refused("Transient".to_owned())).breaks(&[I2]);
    retried(Reply::Unknown("cut".to_owned())).breaks(&[]);
}

#[test]
fn i2_two_appends_cannot_both_write_a_key() {
    let twice = Story::clean().then(
        "w.1",
        (91, 99),
        append(RUN, &[4, 5]),
        appended(5, &[4, 5], false),
    );
    assert!(twice.verdict().broken().contains_key(&I2));
}

#[test]
fn i3_what_nobody_appended_is_found() {
    Story::clean().without(90).breaks(&[I3, I10]);
    let mut story = Story::clean();
    let foreign = FinalRun {
        run: "alfa/x".to_owned(),
        events: Vec::new(),
        last_seq: 0,
        delivered_seq: 0,
        ..story.last[RUN].clone()
    };
    story.last.insert("alfa/x".to_owned(), foreign);
    story.breaks(&[I3]);
}

#[test]
fn i4_a_gap_is_found() {
    let story = Story::clean().run(|run| {
        run.events[4].0 = 6;
        (run.last_seq, run.delivered_seq) = (6, 6);
    });
    let verdict = story.verdict();
    assert_eq!(verdict.gaps, 1);
    assert!(verdict.broken().contains_key(&I4));
    Story::clean()
        .run(|run| run.last_seq = 6)
        .verdict()
        .broken()
        .get(&I4)
        .expect("a head beyond the log");
}
