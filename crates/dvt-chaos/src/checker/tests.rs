//! A small history that breaks no rule, and for each rule histories that break it.

use std::time::Duration;

use super::{Facts, Invariant, Terms, Verdict, check, outcomes};
use crate::history::*;

const RUN: &str = "alfa/r";

/// A history and what is left.
#[derive(Debug, Clone)]
struct Story {
    entries: Vec<Entry>,
    last: Final,
}

fn event(number: u64) -> NewEvent {
    NewEvent(
        format!("key-{number}"),
        fingerprint(number),
        "StepReported".to_owned(),
    )
}

fn fingerprint(number: u64) -> u64 {
    1_000 + number
}

fn append(run: &str, numbers: &[u64]) -> Call {
    let events = numbers.iter().copied().map(event).collect();
    Call::Append(vec![Append {
        run: run.to_owned(),
        expected: None,
        rejects: false,
        events,
    }])
}

fn appended(head: u64, numbers: &[u64], known: bool) -> Reply {
    let events = numbers
        .iter()
        .map(|number| StoredEvent(*number, fingerprint(*number), known))
        .collect();
    Reply::Appended(vec![Answer::Stored { head, events }])
}

fn claimed(claim_no: u64, first: u64, last: u64) -> Claimed {
    Claimed {
        run: RUN.to_owned(),
        claim_no,
        lease_millis: 1_000,
        attempts: 0,
        unfinished: 1,
        first,
        last,
    }
}

fn arrival(claim_no: u64, numbers: &[u64]) -> Record {
    let events = numbers
        .iter()
        .map(|number| (*number, format!("key-{number}"), fingerprint(*number)))
        .collect();
    Record::Arrival(Arrival {
        run: RUN.to_owned(),
        claim_no,
        events,
    })
}

fn held(claim_no: u64) -> Held {
    Held(RUN.to_owned(), claim_no)
}

fn acknowledge(claim_no: u64, through: u64) -> Call {
    Call::Acknowledge(vec![(held(claim_no), through)])
}

fn done() -> Reply {
    Reply::Leases(vec![LeaseAnswer::Done])
}

fn dead(number: u64, seq: u64, resolution: Option<&str>) -> FinalDeadLetter {
    FinalDeadLetter {
        dead_letter_no: number,
        seq,
        attempts: 4,
        cause: "AttemptsExhausted".to_owned(),
        resolution: resolution.map(str::to_owned),
    }
}

impl Story {
    /// A run of five events, appended in two calls, delivered in two claims, and read.
    fn clean() -> Self {
        let bootstrap = Call::Bootstrap {
            run: RUN.to_owned(),
            events: vec![event(1)],
        };
        let read = Call::Read {
            run: RUN.to_owned(),
            after: 0,
        };
        let page = (1..=5)
            .map(|number| (number, fingerprint(number)))
            .collect();
        let events = (1..=5).map(|number| {
            (
                number,
                format!("key-{number}"),
                fingerprint(number),
                "StepReported".to_owned(),
            )
        });
        let run = FinalRun {
            run: RUN.to_owned(),
            status: "Pending".to_owned(),
            last_seq: 5,
            delivered_seq: 5,
            pruned: false,
            parked: false,
            dead_letter_count: 0,
            events: events.collect(),
            dead_letters: Vec::new(),
            checkpoint_holds: Some(true),
        };
        let mut story = Self {
            entries: Vec::new(),
            last: Final::from([(RUN.to_owned(), run)]),
        };
        story.call(
            "w.0",
            (10, 20),
            bootstrap,
            Reply::Bootstrapped(vec![StoredEvent(1, fingerprint(1), false)]),
        );
        story.call(
            "w.0",
            (30, 40),
            append(RUN, &[2, 3]),
            appended(3, &[2, 3], false),
        );
        story.call(
            "r",
            (50, 60),
            Call::Claim,
            Reply::Claimed(vec![claimed(1, 1, 3)]),
        );
        story.entry(65, "r", arrival(1, &[1, 2, 3]));
        story.call("r", (70, 80), acknowledge(1, 3), done());
        story.call(
            "w.0",
            (90, 100),
            append(RUN, &[4, 5]),
            appended(5, &[4, 5], false),
        );
        story.call(
            "r",
            (110, 120),
            Call::Claim,
            Reply::Claimed(vec![claimed(2, 4, 5)]),
        );
        story.entry(125, "r", arrival(2, &[4, 5]));
        story.call("r", (130, 140), acknowledge(2, 5), done());
        story.call(
            "reader",
            (150, 160),
            read,
            Reply::Page {
                head: 5,
                pruned: false,
                events: page,
            },
        );
        story.entry(1_000, "c", Record::Healed);
        story.entry(1_100, "c", Record::Drained { pending: 0 });
        let memory = [("relay".to_owned(), (20_000, 21_000))].into();
        let health = Health {
            connections: 2,
            max_connections: 4,
            memory,
            ..Health::default()
        };
        story.entry(1_200, "c", Record::Health(health));
        story
    }

    fn entry(&mut self, at: u64, by: &str, record: Record) {
        self.entries.push(Entry(at, by.to_owned(), record));
    }

    fn call(&mut self, by: &str, (begin, end): (u64, u64), call: Call, reply: Reply) {
        self.begin(by, begin, call);
        self.entry(end, by, Record::End(begin, reply));
    }

    fn begin(&mut self, by: &str, begin: u64, call: Call) {
        self.entry(begin, by, Record::Begin(begin, call));
    }

    /// The entries of an operation, by the moment when it began.
    fn without(mut self, begin: u64) -> Self {
        self.entries.retain(|Entry(_, _, record)| {
            !matches!(record, Record::Begin(number, _) | Record::End(number, _) if *number == begin)
        });
        self
    }

    /// Another reply to the operation that began then.
    fn replying(mut self, begin: u64, reply: &Reply) -> Self {
        for Entry(_, _, record) in &mut self.entries {
            if matches!(record, Record::End(number, _) if *number == begin) {
                *record = Record::End(begin, reply.clone());
            }
        }
        self
    }

    fn then(mut self, by: &str, span: (u64, u64), call: Call, reply: Reply) -> Self {
        self.call(by, span, call, reply);
        self
    }

    fn run(mut self, change: impl FnOnce(&mut FinalRun)) -> Self {
        change(self.last.get_mut(RUN).unwrap());
        self
    }

    fn facts(&self) -> Facts {
        Facts::of(self.entries.clone())
    }

    fn verdict(&self) -> Verdict {
        let terms = Terms {
            max_attempts: 4,
            drained_within: Duration::from_secs(60),
        };
        check(&self.facts(), &self.last, terms)
    }

    #[track_caller]
    fn breaks(&self, expected: &[Invariant]) {
        let verdict = self.verdict();
        let found: Vec<Invariant> = verdict.broken().keys().copied().collect();
        assert_eq!(found, expected, "{verdict:#?}");
    }
}

use Invariant::*;

#[test]
fn a_clean_history_breaks_no_rule() {
    let story = Story::clean();
    story.breaks(&[]);
    assert_eq!(story.verdict().claims_compared, 1);
    assert_eq!(outcomes(&story.facts(), &story.last).acknowledged, 5);
}

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
fn i6_status_and_checkpoint_are_the_fold() {
    Story::clean()
        .run(|run| run.status = "Running".to_owned())
        .breaks(&[I6]);
    Story::clean()
        .run(|run| run.checkpoint_holds = Some(false))
        .breaks(&[I6]);
}

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
