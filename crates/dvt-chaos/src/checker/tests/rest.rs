//! The clean history, the other rules, and what is counted.

use super::super::Invariant::*;
use super::super::outcomes;
use super::story::*;
use crate::history::*;

#[test]
fn a_clean_history_breaks_no_rule() {
    let story = Story::clean();
    story.breaks(&[]);
    assert_eq!(story.verdict().claims_compared, 1);
    assert_eq!(outcomes(&story.facts(), &story.last).acknowledged, 5);
}

#[test]
fn i6_status_and_checkpoint_are_the_fold() {
    Story::clean()
        .run(|run| run.status = "Running".to_owned())
        .breaks(&[I6]);
    Story::clean()
        .run(|run| run.checkpoint_holds = Some(false))
        .breaks(&[I6]);
}

#[test]
fn i14_what_is_left_behind_is_found() {
    let left = |change: fn(&mut Health)| {
        let mut story = Story::clean();
        for Entry(_, _, record) in &mut story.entries {
            if let Record::Health(health) = record {
                change(health);
            }
        }
        story
    };
    left(|health| health.idle_in_transaction = 1).breaks(&[I14]);
    left(|health| health.advisory_locks = 1).breaks(&[I14]);
    left(|health| health.connections = 5).breaks(&[I14]);
    left(|health| health.memory = [("relay".to_owned(), (20_000, 40_000))].into()).breaks(&[I14]);
}

#[test]
fn i15_everything_is_delivered_in_time() {
    let ending = |at: u64, pending: u64| {
        let mut story = Story::clean();
        for Entry(when, _, record) in &mut story.entries {
            if let Record::Drained { .. } = record {
                (*when, *record) = (at, Record::Drained { pending });
            }
        }
        story
    };
    ending(59_000_000, 0).breaks(&[]);
    ending(62_000_000, 0).breaks(&[I15]);
    ending(59_000_000, 3).breaks(&[I15]);
}

#[test]
fn unknown_outcomes_are_resolved_by_the_log() {
    let cut = Reply::Unknown("cut".to_owned());
    let stored = Story::clean().replying(90, &cut);
    let found = outcomes(&stored.facts(), &stored.last);
    assert_eq!(
        (
            found.unknown,
            found.unknown_stored,
            found.unknown_not_stored
        ),
        (1, 1, 0)
    );

    let not_stored = Story::clean().then("w.0", (85, 89), append(RUN, &[4, 5]), cut.clone());
    let found = outcomes(&not_stored.facts(), &not_stored.last);
    assert_eq!(
        (
            found.unknown,
            found.unknown_stored,
            found.unknown_not_stored
        ),
        (1, 0, 1)
    );

    let nothing_new = Story::clean().then("w.0", (105, 109), append(RUN, &[4, 5]), cut);
    let found = outcomes(&nothing_new.facts(), &nothing_new.last);
    assert_eq!((found.unknown, found.unknown_nothing_new), (1, 1));
}
