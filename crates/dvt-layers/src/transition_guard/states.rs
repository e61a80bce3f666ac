use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use dvt_contracts::{
    AppendError, AppendOutcome, Event, MAX_PAGE, RunEvent, RunKey, RunState, RunStateStore,
    RunStateStoreExt as _, StoreError,
};
use lru::LruCache;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The states of the runs used last.
#[derive(Debug)]
pub(super) struct States(Mutex<LruCache<RunKey, Arc<AsyncMutex<Known>>>>);

/// What is known of a run: nothing at first.
#[derive(Debug, Default)]
pub(super) struct Known {
    state: Option<RunState>,
    /// All keys of the log up to the state, by their hashes; nothing, if there are too many.
    keys: Option<HashSet<u64>>,
    hasher: RandomState,
}

/// Of longer logs the keys are not kept: the store is asked for them where they matter.
const KEPT_KEYS: u64 = 10_000;

impl States {
    pub(super) fn new(runs: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(runs)))
    }

    /// The run, for one caller at a time. Who gets it after it fell out of the cache starts anew; that is slower, and no less right.
    pub(super) async fn lock(&self, run: &RunKey) -> OwnedMutexGuard<Known> {
        let known = {
            let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(states.get_or_insert_ref(run, Arc::default))
        };
        known.lock_owned().await
    }
}

impl Known {
    /// The state to judge by; nothing if the run is not there, or pruned.
    pub(super) fn state(&self) -> Option<&RunState> {
        self.state.as_ref()
    }

    /// Whether all events are new to a log that ends where the state does. `false` may be wrong, `true` is not.
    pub(super) fn are_new(&self, events: &[Event]) -> bool {
        let Some(keys) = &self.keys else { return false };
        events
            .iter()
            .all(|event| !keys.contains(&self.hasher.hash_one(event.idempotency_key())))
    }

    /// Reads what others have appended. A run that is not there, or pruned, has no state: the store says so itself.
    pub(super) async fn refresh(
        &mut self,
        store: &impl RunStateStore,
        run: &RunKey,
    ) -> Result<(), StoreError> {
        // Dropped half-way, this leaves no state rather than half of one.
        let mut state = match self.state.take() {
            Some(state) => state,
            None => RunState::new(),
        };
        if state.last_seq() == 0 {
            self.keys = Some(HashSet::new());
        }
        loop {
            let after = state.last_seq();
            let page = match store.list_events(run, after, MAX_PAGE).await {
                Ok(page) => page,
                Err(StoreError::RunNotFound { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            if page.pruned_at.is_some() {
                return Ok(());
            }
            if after == 0 && page.head > KEPT_KEYS {
                self.keys = None;
                // An append waits for it, so no checkpoint is saved here.
                state = match store.read_state(run).await {
                    Ok(state) => state,
                    Err(StoreError::RunNotFound { .. } | StoreError::RunPruned { .. }) => {
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                };
                continue;
            }
            for event in &page.events {
                self.add_key(event);
                state.fold(event);
            }
            if page.is_last(after) || page.events.is_empty() {
                self.state = Some(state);
                return Ok(());
            }
        }
    }

    /// Takes in what was appended.
    pub(super) fn note(&mut self, replies: &[Result<AppendOutcome, AppendError>]) {
        for appended in replies.iter().flatten().flat_map(|outcome| &outcome.events) {
            let Some(last) = self.state.as_ref().map(RunState::last_seq) else {
                return;
            };
            let seq = appended.stored.run_seq;
            if seq > last + 1 {
                // Others have written in between.
                self.state = None;
                return;
            }
            if seq == last + 1 {
                self.add_key(&appended.stored);
                if let Some(state) = &mut self.state {
                    state.fold(&appended.stored);
                }
            }
        }
    }

    fn add_key(&mut self, event: &RunEvent) {
        if event.run_seq > KEPT_KEYS {
            self.keys = None;
        }
        if let Some(keys) = &mut self.keys {
            keys.insert(self.hasher.hash_one(event.event.idempotency_key()));
        }
    }
}
