use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use dvt_contracts::{Destination, Retarget, RunKey, Timestamp};

use crate::run::{Due, Run};

/// Where a page begins: behind the last key of the one before.
pub(crate) fn after<K>(last: Option<&K>) -> Bound<&K> {
    last.map_or(Bound::Unbounded, Bound::Excluded)
}

/// A store's whole content.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) runs: BTreeMap<RunKey, Run>,
    pub(crate) destination: Option<Destination>,
    pub(crate) last_retarget: Option<Retarget>,
    /// The runs with a due time, in that order: what a claim walks along.
    schedule: BTreeSet<(Due, RunKey)>,
    tickets: u64,
}

impl State {
    /// Sets or clears when the run may be claimed.
    pub(crate) fn schedule(&mut self, key: &RunKey, at: Option<Timestamp>) {
        let Some(run) = self.runs.get_mut(key) else {
            return;
        };
        if let Some(due) = run.due.take() {
            self.schedule.remove(&(due, key.clone()));
        }
        if let Some(at) = at {
            self.tickets += 1;
            let due = Due {
                at,
                ticket: self.tickets,
            };
            run.due = Some(due);
            self.schedule.insert((due, key.clone()));
        }
    }

    /// The runs that are due, longest first.
    pub(crate) fn due(&self, now: Timestamp) -> impl Iterator<Item = (&RunKey, &Run)> {
        self.schedule
            .iter()
            .take_while(move |(due, _)| due.at <= now)
            .filter_map(|(_, key)| self.runs.get_key_value(key))
    }
}
