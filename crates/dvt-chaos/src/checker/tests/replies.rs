//! I5 and I13.

use super::super::Invariant::*;
use super::story::*;
use crate::history::*;

#[test]
fn i5_a_read_after_an_append_contains_it() {
    let stale = Reply::Page {
        head: 3,
        pruned: false,
        events: Vec::new(),
    };
    Story::clean().replying(150, &stale).breaks(&[I5]);
    // One that began before the append ended may see either.
    let mut early = Story::clean().without(150);
    early.call(
        "reader",
        (95, 160),
        Call::Read {
            run: RUN.to_owned(),
            after: 0,
        },
        stale,
    );
    early.breaks(&[]);
}

#[test]
fn i5_appends_are_numbered_in_the_order_of_their_time() {
    let swapped = Story::clean()
        .replying(30, &appended(5, &[4, 5], false))
        .replying(90, &appended(3, &[2, 3], false));
    assert!(swapped.verdict().broken().contains_key(&I5));
}

#[test]
fn i5_an_expected_head_is_the_head() {
    let conditional = |expected| {
        let mut story = Story::clean();
        for Entry(_, _, record) in &mut story.entries {
            if let Record::Begin(90, Call::Append(requests)) = record {
                requests[0].expected = Some(expected);
            }
        }
        story
    };
    conditional(3).breaks(&[]);
    conditional(2).breaks(&[I5]);
}

#[test]
fn i13_a_reply_names_no_other_tenant() {
    let list = Call::List {
        tenant: "alfa".to_owned(),
    };
    let listed = |run: &str| Reply::Listed(vec![RUN.to_owned(), run.to_owned()]);
    Story::clean()
        .then("reader", (161, 162), list.clone(), listed("alfa/s"))
        .breaks(&[]);
    Story::clean()
        .then("reader", (161, 162), list, listed("beta/r"))
        .breaks(&[I13]);
}

#[test]
fn i13_a_read_gives_no_event_of_another_tenant() {
    let mut story = Story::clean();
    let events = vec![NewEvent("key-1".to_owned(), 77, "StepReported".to_owned())];
    let write = Append {
        run: "beta/r".to_owned(),
        expected: None,
        rejects: false,
        events,
    };
    story.begin("w.1", 5, Call::Append(vec![write]));
    let mixed = Reply::Page {
        head: 5,
        pruned: false,
        events: vec![(1, 77)],
    };
    story.replying(150, &mixed).breaks(&[I13]);
}
