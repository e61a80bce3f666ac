use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dvt_contracts::RunKey;

/// So many runs are remembered; a sink that meets more begins anew, and asks the server again.
const MAX_RUNS: usize = 50_000;

/// The last message of each run, as far as this sink knows: what its next message has to follow.
#[derive(Debug, Default)]
pub(crate) struct LastMessages(Mutex<HashMap<RunKey, Last>>);

/// The last message of a run that we know of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    /// Its event.
    pub(crate) run_seq: u64,
    /// Its place in the stream.
    pub(crate) sequence: u64,
}

impl LastMessages {
    pub(crate) fn get(&self, run: &RunKey) -> Option<Last> {
        self.lock().get(run).copied()
    }

    pub(crate) fn set(&self, run: &RunKey, last: Last) {
        let mut known = self.lock();
        if known.len() >= MAX_RUNS {
            known.clear();
        }
        known.insert(run.clone(), last);
    }

    pub(crate) fn forget(&self, run: &RunKey) {
        self.lock().remove(run);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunKey, Last>> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
