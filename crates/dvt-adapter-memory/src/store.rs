use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dvt_contracts::Timestamp;

use crate::clock::{Clock, ManualClock};
use crate::state::State;

/// A run-state store in memory. Clones are handles on the same store.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

impl MemoryStore {
    /// An empty store on this machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store on a clock that its owner moves.
    #[must_use]
    pub fn with_clock(clock: ManualClock) -> Self {
        Self {
            clock: Clock::Manual(clock),
            ..Self::default()
        }
    }

    /// The state, locked, and the time under that lock: operations see times in the order in which they happen.
    pub(crate) fn lock(&self) -> (MutexGuard<'_, State>, Timestamp) {
        // No operation can panic between two writes, so a poisoned state is a whole one.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        (state, now)
    }
}
