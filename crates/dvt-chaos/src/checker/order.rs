//! I5 and I13: replies agree with the time at which they were asked for, and with the tenant who asked.

use super::facts::{Facts, NEVER, Outcome, RunFacts, Write};
use super::invariant::Invariant::{I3, I5, I13};
use super::verdict::Verdict;
use crate::history::StoredEvent;

pub(super) fn check(facts: &Facts, verdict: &mut Verdict) {
    for (name, run) in &facts.runs {
        real_time(name, run, verdict);
        expectations(name, run, verdict);
    }
    for (tenant, run) in &facts.foreign {
        verdict.breach(I13, || format!("a listing for {tenant} names {run}"));
    }
    seen(facts, verdict);
}

/// An operation that tells where the head was.
#[derive(Debug)]
struct Moment {
    begin: u64,
    end: u64,
    /// The head before it and after it.
    before: u64,
    after: u64,
}

/// Of two operations of which one ended before the other began, the second sees what the first one left.
fn real_time(name: &str, run: &RunFacts, verdict: &mut Verdict) {
    let mut moments: Vec<Moment> = run.writes.iter().filter_map(moment).collect();
    moments.extend(run.sightings.iter().map(|sighting| Moment {
        begin: sighting.begin,
        end: sighting.end,
        before: sighting.head,
        after: sighting.head,
    }));
    moments.sort_unstable_by_key(|moment| moment.begin);
    let mut ended: Vec<(u64, u64)> = moments
        .iter()
        .map(|moment| (moment.end, moment.after))
        .collect();
    ended.sort_unstable();
    let mut ended = ended.into_iter().peekable();
    let mut reached = 0;
    for moment in &moments {
        while let Some((_, after)) = ended.next_if(|(end, _)| *end < moment.begin) {
            reached = reached.max(after);
        }
        if moment.before < reached {
            verdict.breach(I5, || {
                format!(
                    "{name}: an operation saw head {} after another one had seen {reached}",
                    moment.before
                )
            });
        }
    }
}

fn moment(write: &Write) -> Option<Moment> {
    let Outcome::Stored { head: Some(head) } = write.outcome else {
        return None;
    };
    let fresh = write
        .events
        .iter()
        .filter_map(|event| event.reply)
        .filter(|StoredEvent(_, _, known)| !known);
    let first = fresh.map(|StoredEvent(seq, ..)| seq).min();
    let before = first.map_or(head, |first| first.saturating_sub(1));
    (write.end != NEVER).then_some(Moment {
        begin: write.begin,
        end: write.end,
        before,
        after: head,
    })
}

/// What was written on the condition of a head came right after it, and in one piece.
fn expectations(name: &str, run: &RunFacts, verdict: &mut Verdict) {
    for write in &run.writes {
        let fresh = write
            .events
            .iter()
            .filter_map(|event| event.reply)
            .filter(|StoredEvent(_, _, known)| !known);
        let mut next = write.expected.map(|head| head + 1);
        for StoredEvent(seq, ..) in fresh {
            if next.is_some_and(|next| next != seq) {
                verdict.breach(I5, || {
                    format!("{name}: expected event {next:?} from a request, found {seq}")
                });
            }
            next = Some(seq + 1);
        }
    }
}

/// Readers see what was appended to that run of that tenant.
fn seen(facts: &Facts, verdict: &mut Verdict) {
    for (name, run) in &facts.runs {
        let known = fingerprints(run);
        for (seq, fingerprint) in &run.reads {
            if known.contains(fingerprint) {
                continue;
            }
            let (tenant, id) = name.split_once('/').unwrap_or(("", name));
            let others = facts.runs.iter().filter(|(other, _)| {
                other
                    .split_once('/')
                    .is_some_and(|(owner, other)| owner != tenant && other == id)
            });
            let mut others = others;
            let whose = others.find(|(_, other)| fingerprints(other).contains(fingerprint));
            match whose {
                Some((other, _)) => verdict.breach(I13, || {
                    format!("{name}: a read gave event {seq} of {other}")
                }),
                None => verdict.breach(I3, || {
                    format!("{name}: a read gave event {seq}, which nobody appended")
                }),
            }
        }
    }
}

fn fingerprints(run: &RunFacts) -> std::collections::HashSet<u64> {
    let events = run.writes.iter().flat_map(|write| &write.events);
    events.map(|event| event.fingerprint).collect()
}
