//! I8 to I10: what arrived.

use std::collections::HashSet;

use super::facts::{Facts, RunFacts};
use super::invariant::Invariant::{I8, I9, I10};
use super::log;
use super::verdict::Verdict;
use crate::fingerprint;
use crate::history::{Final, FinalRun};

pub(super) fn check(facts: &Facts, last: &Final, verdict: &mut Verdict) {
    let none = RunFacts::default();
    for (name, last) in last {
        let run = facts.runs.get(name).unwrap_or(&none);
        arrived(name, run, last, verdict);
        unchanged(name, run, last, verdict);
    }
    for (name, run) in &facts.runs {
        if !run.arrivals.is_empty() && !last.contains_key(name) {
            verdict.breach(I10, || {
                format!("{name}: events arrived of a run that is not there")
            });
        }
    }
}

fn arrived(name: &str, run: &RunFacts, last: &FinalRun, verdict: &mut Verdict) {
    let dead = log::skipped(last);
    let mut seen = HashSet::new();
    let mut next = 1;
    for arrived in &run.arrivals {
        let seq = arrived.seq;
        // A repetition, or an event that was given up before it arrived after all.
        if !seen.insert(seq) || dead.contains(&seq) {
            continue;
        }
        while next < seq && (seen.contains(&next) || dead.contains(&next)) {
            next += 1;
        }
        if next < seq {
            verdict.reordered += 1;
            verdict.breach(I9, || {
                format!("{name}: event {seq} arrived before event {next}")
            });
        }
    }
    for seq in 1..=last.last_seq {
        if !seen.contains(&seq) && !dead.contains(&seq) {
            verdict.undelivered += 1;
            verdict.breach(I8, || {
                format!(
                    "{name}: event {seq} of {} never arrived; the cursor is at {}",
                    last.last_seq, last.delivered_seq
                )
            });
        }
    }
    let without_cause = last
        .dead_letters
        .iter()
        .filter(|dead| dead.cause.is_empty());
    for dead in without_cause {
        verdict.breach(I8, || {
            format!("{name}: event {} is dead without a cause", dead.seq)
        });
    }
}

fn unchanged(name: &str, run: &RunFacts, last: &FinalRun, verdict: &mut Verdict) {
    let invoked: HashSet<(u64, u64)> = run
        .writes
        .iter()
        .flat_map(|write| &write.events)
        .map(|event| (event.key, event.fingerprint))
        .collect();
    for arrived in &run.arrivals {
        if !invoked.contains(&(arrived.key, arrived.fingerprint)) {
            verdict.breach(I10, || {
                format!(
                    "{name}: event {} arrived with a content that nobody appended",
                    arrived.seq
                )
            });
        }
    }
    if last.pruned {
        return;
    }
    for arrived in &run.arrivals {
        let place = usize::try_from(arrived.seq)
            .ok()
            .and_then(|seq| seq.checked_sub(1));
        let stored = place.and_then(|place| last.events.get(place));
        let is_it = stored.is_some_and(|(seq, key, fingerprint, _)| {
            (*seq, fingerprint::key(key), *fingerprint)
                == (arrived.seq, arrived.key, arrived.fingerprint)
        });
        if !is_it {
            verdict.breach(I10, || {
                format!(
                    "{name}: event {} arrived, and the log has another one there",
                    arrived.seq
                )
            });
        }
    }
}
