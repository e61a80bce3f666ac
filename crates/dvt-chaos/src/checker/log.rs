//! I1 to I4: what was acknowledged is there, once, and nothing else is.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::facts::{Facts, NEVER, Outcome, RunFacts, Write, Written};
use super::invariant::Invariant::{I1, I2, I3, I4};
use super::verdict::Verdict;
use crate::fingerprint;
use crate::history::{Final, FinalRun, StoredEvent};

pub(super) fn check(facts: &Facts, last: &Final, verdict: &mut Verdict) {
    for (name, run) in &facts.runs {
        let log = last.get(name).map(|last| Log::of(last, run));
        acknowledged(name, run, log.as_ref(), verdict);
        once(name, run, log.as_ref(), verdict);
    }
    for (name, last) in last {
        let none = RunFacts::default();
        let run = facts.runs.get(name).unwrap_or(&none);
        invoked(name, run, last, verdict);
        dense(name, last, verdict);
    }
}

/// The events that a run has, or had before it was pruned.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) last_seq: u64,
    pub(super) is_pruned: bool,
    /// Key and fingerprint by number.
    events: HashMap<u64, (u64, u64)>,
    keys: HashSet<u64>,
    skipped: BTreeSet<u64>,
}

impl Log {
    /// A pruned run's events are those that arrived: it could not be pruned before.
    pub(super) fn of(last: &FinalRun, run: &RunFacts) -> Self {
        let events: HashMap<u64, (u64, u64)> = match last.pruned {
            true => run
                .arrivals
                .iter()
                .map(|arrived| (arrived.seq, (arrived.key, arrived.fingerprint)))
                .collect(),
            false => last
                .events
                .iter()
                .map(|(seq, key, fingerprint, _)| (*seq, (fingerprint::key(key), *fingerprint)))
                .collect(),
        };
        Self {
            last_seq: last.last_seq,
            is_pruned: last.pruned,
            keys: events.values().map(|(key, _)| *key).collect(),
            events,
            skipped: skipped(last),
        }
    }

    /// Whether the event is there under this number.
    fn has(&self, key: u64, StoredEvent(seq, fingerprint, _): StoredEvent) -> bool {
        match self.events.get(&seq) {
            Some(found) => *found == (key, fingerprint),
            None => self.is_pruned && seq <= self.last_seq && self.skipped.contains(&seq),
        }
    }

    pub(super) fn has_key(&self, key: u64) -> bool {
        self.keys.contains(&key)
    }
}

/// The numbers of the events that were given up.
pub(super) fn skipped(last: &FinalRun) -> BTreeSet<u64> {
    let skipped = last
        .dead_letters
        .iter()
        .filter(|dead| dead.resolution.as_deref() == Some("Skipped"));
    skipped.map(|dead| dead.seq).collect()
}

fn acknowledged(name: &str, run: &RunFacts, log: Option<&Log>, verdict: &mut Verdict) {
    let mut lost = HashSet::new();
    for write in &run.writes {
        let Outcome::Stored { head } = write.outcome else {
            continue;
        };
        let last_seq = log.map_or(0, |log| log.last_seq);
        if head.is_some_and(|head| head > last_seq) {
            verdict.breach(I1, || {
                format!("{name}: a reply told of head {head:?}, which is {last_seq} at the end")
            });
        }
        for event in &write.events {
            let Some(stored) = event.reply else {
                verdict.breach(I1, || {
                    format!("{name}: a reply did not tell of an event of its request")
                });
                continue;
            };
            let is_there = log.is_some_and(|log| log.has(event.key, stored));
            // Of one that was written first by somebody else, the fingerprint is that one's.
            if !is_there && lost.insert(stored.0) {
                verdict.lost += 1;
                verdict.breach(I1, || {
                    format!(
                        "{name}: event {} was acknowledged and is not in the log as it was",
                        stored.0
                    )
                });
            }
        }
    }
}

/// What is known of a key from the appends that brought it.
#[derive(Debug, Default)]
struct KeyFacts {
    /// How many replies said that they wrote it.
    fresh: u64,
    /// When the first append began that may have written it.
    earliest: u64,
    all_failed: bool,
}

fn once(name: &str, run: &RunFacts, log: Option<&Log>, verdict: &mut Verdict) {
    let mut keys: HashMap<u64, KeyFacts> = HashMap::new();
    for write in &run.writes {
        let mut in_request = HashSet::new();
        for event in &write.events {
            let fresh = KeyFacts {
                fresh: 0,
                earliest: NEVER,
                all_failed: true,
            };
            let key = keys.entry(event.key).or_insert(fresh);
            let said_fresh = event.reply.is_some_and(|StoredEvent(_, _, known)| !known);
            if said_fresh && in_request.insert(event.key) {
                key.fresh += 1;
            }
            if write.outcome == Outcome::Unknown || said_fresh {
                key.earliest = key.earliest.min(write.begin);
            }
            key.all_failed &= write.outcome == Outcome::Refused;
        }
    }
    for write in &run.writes {
        for Written { key, reply, .. } in &write.events {
            let Some(StoredEvent(seq, _, true)) = reply else {
                continue;
            };
            if keys.get(key).is_none_or(|key| key.earliest >= write.end) {
                verdict.breach(I2, || format!("{name}: event {seq} is called a duplicate, and every append that could have stored it failed"));
            }
        }
    }
    for (key, facts) in &keys {
        if facts.fresh > 1 {
            verdict.duplicated += 1;
            verdict.breach(I2, || {
                format!(
                    "{name}: {} appends of key {key:x} say that they wrote it",
                    facts.fresh
                )
            });
        }
        if facts.all_failed && log.is_some_and(|log| log.has_key(*key)) {
            verdict.breach(I2, || {
                format!("{name}: key {key:x} is in the log, and every append of it failed")
            });
        }
    }
}

fn invoked(name: &str, run: &RunFacts, last: &FinalRun, verdict: &mut Verdict) {
    let brought = |write: &Write| {
        write
            .events
            .iter()
            .map(|event| (event.key, event.fingerprint))
            .collect::<Vec<_>>()
    };
    let invoked: HashSet<(u64, u64)> = run.writes.iter().flat_map(brought).collect();
    let mut seen = HashSet::new();
    for (seq, key, fingerprint, _) in &last.events {
        if !seen.insert(key) {
            verdict.duplicated += 1;
            verdict.breach(I2, || {
                format!("{name}: event {seq} has the key {key} of an earlier one")
            });
        }
        if !invoked.contains(&(fingerprint::key(key), *fingerprint)) {
            verdict.breach(I3, || {
                format!("{name}: nobody appended event {seq} with key {key}")
            });
        }
    }
    if run.writes.is_empty() {
        verdict.breach(I3, || format!("{name}: nobody made this run"));
    }
}

fn dense(name: &str, last: &FinalRun, verdict: &mut Verdict) {
    let mut expected = 1;
    for (seq, ..) in &last.events {
        if *seq != expected {
            verdict.gaps += 1;
            verdict.breach(I4, || {
                format!("{name}: event {seq} follows event {}", expected - 1)
            });
        }
        expected = seq + 1;
    }
    let head = expected - 1;
    if !last.pruned && head != last.last_seq {
        verdict.gaps += 1;
        verdict.breach(I4, || {
            format!(
                "{name}: the head is {}, and the last event is {head}",
                last.last_seq
            )
        });
    }
    if last.pruned && !last.events.is_empty() {
        verdict.breach(I4, || {
            format!("{name}: it is pruned and has {} events", last.events.len())
        });
    }
}
