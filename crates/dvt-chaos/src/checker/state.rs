//! I6 and I7: what is kept beside the log agrees with it.

use std::collections::{BTreeSet, HashMap};

use dvt_contracts::{EventType, RunStatus, status_after};

use super::facts::{Facts, RunFacts};
use super::invariant::Invariant::{I6, I7};
use super::log;
use super::verdict::Verdict;
use crate::history::{Final, FinalRun};

pub(super) fn check(facts: &Facts, last: &Final, verdict: &mut Verdict) {
    for (name, last) in last {
        let run = facts.runs.get(name);
        folded(name, run, last, verdict);
        parted(name, last, verdict);
    }
}

fn folded(name: &str, run: Option<&RunFacts>, last: &FinalRun, verdict: &mut Verdict) {
    let types: Option<Vec<EventType>> = match (last.pruned, run) {
        (false, _) => last
            .events
            .iter()
            .map(|(.., event_type)| event_type.parse().ok())
            .collect(),
        (true, Some(run)) => arrived_types(run, last),
        (true, None) => None,
    };
    // Of a pruned run with a skipped event nobody knows the types of all.
    let status = types.map(|types| {
        types.iter().fold(RunStatus::Pending, |status, event_type| {
            status_after(status, event_type)
        })
    });
    if let Some(status) = status
        && status.as_str() != last.status
    {
        verdict.breach(I6, || {
            format!(
                "{name}: it is called {}, and its log folds to {status:?}",
                last.status
            )
        });
    }
    if last.checkpoint_holds == Some(false) {
        verdict.breach(I6, || {
            format!("{name}: its checkpoint is not the fold of its log")
        });
    }
}

/// The types of a pruned run's events, by what arrived and what was appended.
fn arrived_types(run: &RunFacts, last: &FinalRun) -> Option<Vec<EventType>> {
    let mut kinds = HashMap::new();
    for event in run.writes.iter().flat_map(|write| &write.events) {
        kinds.insert((event.key, event.fingerprint), event.kind);
    }
    let mut by_seq = HashMap::new();
    for arrived in &run.arrivals {
        let kind = kinds.get(&(arrived.key, arrived.fingerprint))?;
        // One that is not known moves no status, as no other one does that is not in the table.
        by_seq.insert(arrived.seq, *kind);
    }
    let types = (1..=last.last_seq).map(|seq| {
        let kind = *by_seq.get(&seq)?;
        match EventType::KNOWN.get(usize::from(kind)) {
            Some(known) => Some(known.clone()),
            None => "StepReported".parse().ok(),
        }
    });
    types.collect()
}

/// Delivered up to the cursor, dead or pending after it.
fn parted(name: &str, last: &FinalRun, verdict: &mut Verdict) {
    if last.delivered_seq > last.last_seq {
        verdict.breach(I7, || {
            format!(
                "{name}: the cursor is at {} of {}",
                last.delivered_seq, last.last_seq
            )
        });
    }
    let open: Vec<_> = last
        .dead_letters
        .iter()
        .filter(|dead| dead.resolution.is_none())
        .collect();
    let parked_at: Vec<u64> = open.iter().map(|dead| dead.seq).collect();
    let expected = if last.parked {
        vec![last.delivered_seq + 1]
    } else {
        Vec::new()
    };
    if parked_at != expected {
        verdict.breach(I7, || {
            format!("{name}: dead letters are open for {parked_at:?}, expected {expected:?}")
        });
    }
    let skipped: BTreeSet<u64> = log::skipped(last);
    if let Some(seq) = skipped.iter().find(|seq| **seq > last.delivered_seq) {
        verdict.breach(I7, || {
            format!("{name}: event {seq} was given up and is pending, too")
        });
    }
    let ends = last
        .dead_letters
        .iter()
        .filter(|dead| dead.resolution.as_deref() == Some("Skipped"));
    if ends.count() != skipped.len() {
        verdict.breach(I7, || format!("{name}: an event was given up twice"));
    }
    let mut numbers: Vec<u64> = last
        .dead_letters
        .iter()
        .map(|dead| dead.dead_letter_no)
        .collect();
    numbers.sort_unstable();
    let dense = (1..=last.dead_letter_count).collect::<Vec<_>>();
    if numbers != dense {
        verdict.breach(I7, || {
            format!(
                "{name}: dead letters {numbers:?} are stored, and {} are counted",
                dense.len()
            )
        });
    }
    if let Some(dead) = last
        .dead_letters
        .iter()
        .find(|dead| dead.seq > last.last_seq)
    {
        verdict.breach(I7, || {
            format!(
                "{name}: a dead letter names event {}, beyond the head",
                dead.seq
            )
        });
    }
}
