use std::collections::{HashMap, HashSet};

use super::facts::{Facts, NEVER, Outcome, RunFacts};
use super::log::Log;
use crate::history::{Final, StoredEvent};

/// What became of the appends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// Events whose storing was told to their writer.
    pub(crate) acknowledged: u64,
    /// Calls of which nobody could say whether they happened.
    pub(crate) unknown: u64,
    /// Of these: what they brought was stored.
    pub(crate) unknown_stored: u64,
    /// It was not.
    pub(crate) unknown_not_stored: u64,
    /// They repeated what was acknowledged before: nothing to store.
    pub(crate) unknown_nothing_new: u64,
    pub(crate) pruned_runs: u64,
}

/// Counts them. Of several calls with the same key at most one stored it, so what the log says at the end tells how many did not.
pub(crate) fn outcomes(facts: &Facts, last: &Final) -> Outcomes {
    let mut outcomes = Outcomes {
        pruned_runs: last.values().filter(|run| run.pruned).count() as u64,
        ..Outcomes::default()
    };
    for (name, run) in &facts.runs {
        let log = last.get(name).map(|last| Log::of(last, run));
        count(run, log.as_ref(), &mut outcomes);
    }
    outcomes
}

fn count(run: &RunFacts, log: Option<&Log>, outcomes: &mut Outcomes) {
    let mut acknowledged: HashSet<u64> = HashSet::new();
    // When a key was known to be stored, and whether a reply said that it was its own call that stored it.
    let mut known_since: HashMap<u64, u64> = HashMap::new();
    let mut told_fresh: HashSet<u64> = HashSet::new();
    for write in &run.writes {
        for event in &write.events {
            let Some(StoredEvent(_, _, duplicate)) = event.reply else {
                continue;
            };
            acknowledged.insert(event.key);
            let since = known_since.entry(event.key).or_insert(NEVER);
            *since = write.end.min(*since);
            if !duplicate {
                told_fresh.insert(event.key);
            }
        }
    }
    outcomes.acknowledged += acknowledged.len() as u64;
    let mut unknown: HashMap<u64, u64> = HashMap::new();
    for write in run
        .writes
        .iter()
        .filter(|write| write.leads && write.outcome == Outcome::Unknown)
    {
        outcomes.unknown += 1;
        let newest = write.events.iter().find(|event| {
            known_since
                .get(&event.key)
                .is_none_or(|since| *since >= write.begin)
        });
        match newest {
            Some(event) => *unknown.entry(event.key).or_default() += 1,
            None => outcomes.unknown_nothing_new += 1,
        }
    }
    for (key, calls) in unknown {
        let by_one_of_them = !told_fresh.contains(&key) && log.is_some_and(|log| log.has_key(key));
        let stored = u64::from(by_one_of_them);
        outcomes.unknown_stored += stored;
        outcomes.unknown_not_stored += calls - stored;
    }
}
