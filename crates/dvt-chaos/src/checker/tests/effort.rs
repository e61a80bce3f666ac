//! What counts as a fault, and as a recovery.

use super::super::facts::Facts;
use super::super::{Effort, KindEffort};
use super::story::*;
use crate::history::*;

fn mark(at: u64, phase: FaultPhase) -> Entry {
    let mark = FaultMark {
        number: 1,
        kind: "kill".to_owned(),
        phase,
    };
    Entry(at, "coordinator".to_owned(), Record::Fault(mark))
}

/// An append of a writer, from one moment to another.
fn success(writer: &str, (begin, end): (u64, u64)) -> [Entry; 2] {
    let by = |at, record| Entry(at, writer.to_owned(), record);
    [
        by(begin, Record::Begin(begin, append(RUN, &[1]))),
        by(end, Record::End(begin, appended(1, &[1], false))),
    ]
}

fn effort(entries: Vec<Entry>) -> Effort {
    Effort::of(&Facts::of(entries))
}

#[test]
fn a_recovery_ends_with_the_last_writer() {
    let mut entries = Vec::new();
    entries.extend(success("writer0i0.0", (1_000_000, 1_100_000)));
    entries.extend(success("writer1i0.2", (1_000_000, 1_200_000)));
    entries.push(mark(2_000_000, FaultPhase::Begins));
    entries.push(mark(3_000_000, FaultPhase::Healed));
    entries.extend(success("writer0i0.1", (1_900_000, 3_250_000)));
    // It was killed, and came back.
    entries.extend(success("writer1i1.0", (4_000_000, 4_500_000)));
    // It was not there before.
    entries.extend(success("writer2i0.0", (8_000_000, 9_000_000)));

    let found = effort(entries);

    assert_eq!(found.recoveries, [1.5]);
    let expected = KindEffort {
        times: 1,
        met: 1,
        in_flight: 1,
        slowest: 1.5,
    };
    assert_eq!(found.kinds["kill"], expected);
}

#[test]
fn who_never_came_back_is_counted_until_the_end() {
    let mut entries = Vec::new();
    entries.extend(success("writer0i0.0", (1_000_000, 1_100_000)));
    entries.push(mark(2_000_000, FaultPhase::Begins));
    entries.push(mark(3_000_000, FaultPhase::Healed));
    entries.push(Entry(63_000_000, "coordinator".to_owned(), Record::Healed));

    assert_eq!(effort(entries).recoveries, [60.0]);
}

#[test]
fn a_fault_that_could_not_be_done_is_none() {
    let mut entries = Vec::new();
    entries.extend(success("writer0i0.0", (1_000_000, 1_100_000)));
    entries.push(mark(2_000_000, FaultPhase::Begins));
    entries.push(mark(3_000_000, FaultPhase::Failed));

    let found = effort(entries);

    assert_eq!((found.total(), found.recoveries.len()), (0, 0));
}

#[test]
fn who_was_killed_has_nothing_in_flight() {
    let begun = Record::Begin(1, append(RUN, &[1]));
    let mut entries = vec![Entry(1_000_000, "writer0i0.0".to_owned(), begun)];
    entries.push(mark(2_000_000, FaultPhase::Begins));
    entries.push(mark(3_000_000, FaultPhase::Healed));

    let kind = effort(entries).kinds["kill"];

    assert_eq!((kind.times, kind.met, kind.in_flight), (1, 0, 0));
}
