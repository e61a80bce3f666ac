//! A small history that breaks no rule.

use std::time::Duration;

use super::super::{Facts, Invariant, Terms, Verdict, check};
use crate::history::*;

pub(super) const RUN: &str = "alfa/r";

/// A history and what is left.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) entries: Vec<Entry>,
    pub(super) last: Final,
}

pub(super) fn event(number: u64) -> NewEvent {
    NewEvent(
        format!("key-{number}"),
        fingerprint(number),
        "StepReported".to_owned(),
    )
}

pub(super) fn fingerprint(number: u64) -> u64 {
    1_000 + number
}

pub(super) fn append(run: &str, numbers: &[u64]) -> Call {
    let events = numbers.iter().copied().map(event).collect();
    Call::Append(vec![Append {
        run: run.to_owned(),
        expected: None,
        rejects: false,
        events,
    }])
}

pub(super) fn appended(head: u64, numbers: &[u64], known: bool) -> Reply {
    let events = numbers
        .iter()
        .map(|number| StoredEvent(*number, fingerprint(*number), known))
        .collect();
    Reply::Appended(vec![Answer::Stored { head, events }])
}

pub(super) fn claimed(claim_no: u64, first: u64, last: u64) -> Claimed {
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

pub(super) fn arrival(claim_no: u64, numbers: &[u64]) -> Record {
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

pub(super) fn held(claim_no: u64) -> Held {
    Held(RUN.to_owned(), claim_no)
}

pub(super) fn acknowledge(claim_no: u64, through: u64) -> Call {
    Call::Acknowledge(vec![(held(claim_no), through)])
}

pub(super) fn done() -> Reply {
    Reply::Leases(vec![LeaseAnswer::Done])
}

pub(super) fn dead(number: u64, seq: u64, resolution: Option<&str>) -> FinalDeadLetter {
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
    pub(super) fn clean() -> Self {
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

    pub(super) fn entry(&mut self, at: u64, by: &str, record: Record) {
        self.entries.push(Entry(at, by.to_owned(), record));
    }

    pub(super) fn call(&mut self, by: &str, (begin, end): (u64, u64), call: Call, reply: Reply) {
        self.begin(by, begin, call);
        self.entry(end, by, Record::End(begin, reply));
    }

    pub(super) fn begin(&mut self, by: &str, begin: u64, call: Call) {
        self.entry(begin, by, Record::Begin(begin, call));
    }

    /// The entries of an operation, by the moment when it began.
    pub(super) fn without(mut self, begin: u64) -> Self {
        self.entries.retain(|Entry(_, _, record)| {
            !matches!(record, Record::Begin(number, _) | Record::End(number, _) if *number == begin)
        });
        self
    }

    /// Another reply to the operation that began then.
    pub(super) fn replying(mut self, begin: u64, reply: &Reply) -> Self {
        for Entry(_, _, record) in &mut self.entries {
            if matches!(record, Record::End(number, _) if *number == begin) {
                *record = Record::End(begin, reply.clone());
            }
        }
        self
    }

    pub(super) fn then(mut self, by: &str, span: (u64, u64), call: Call, reply: Reply) -> Self {
        self.call(by, span, call, reply);
        self
    }

    pub(super) fn run(mut self, change: impl FnOnce(&mut FinalRun)) -> Self {
        change(self.last.get_mut(RUN).unwrap());
        self
    }

    pub(super) fn facts(&self) -> Facts {
        Facts::of(self.entries.clone())
    }

    pub(super) fn verdict(&self) -> Verdict {
        let terms = Terms {
            max_attempts: 4,
            drained_within: Duration::from_secs(60),
        };
        check(&self.facts(), &self.last, terms)
    }

    #[track_caller]
    pub(super) fn breaks(&self, expected: &[Invariant]) {
        let verdict = self.verdict();
        let found: Vec<Invariant> = verdict.broken().keys().copied().collect();
        assert_eq!(found, expected, "{verdict:#?}");
    }
}
