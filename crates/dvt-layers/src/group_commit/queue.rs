use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, MAX_CALL_BYTES, MAX_CALL_EVENTS, StoreError,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

/// The answer to a call.
pub(super) type Answer = Result<Vec<Result<AppendOutcome, AppendError>>, StoreError>;

/// A call that waits to be made.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) requests: Vec<AppendRequest>,
    pub(super) reply: oneshot::Sender<Answer>,
    /// When it was first part of a call that failed.
    pub(super) failed_since: Option<Instant>,
    /// Given back when the call is answered, or given up.
    pub(super) _room: OwnedSemaphorePermit,
}

/// The calls that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Debug)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Whether a task is at work on them.
    is_served: bool,
    /// How many callers may go out together: less after a failure, so that whoever is the reason is soon alone.
    window: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            is_served: false,
            window: usize::MAX,
        }
    }
}

impl Queue {
    /// Adds a call. Whether nobody is at work: then the caller starts somebody.
    pub(super) fn push(&self, waiting: Waiting) -> bool {
        let mut state = self.state();
        state.waiting.push_back(waiting);
        !std::mem::replace(&mut state.is_served, true)
    }

    /// Takes as many calls as fit into one. Nothing: the work is done, and the next call starts it anew.
    pub(super) fn take(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state();
        let (mut taken, mut events, mut bytes) = (Vec::new(), 0, 0);
        while taken.len() < state.window
            && let Some(next) = state.waiting.front()
        {
            let (more_events, more_bytes) = next.size();
            if events + more_events > MAX_CALL_EVENTS || bytes + more_bytes > MAX_CALL_BYTES {
                break;
            }
            (events, bytes) = (events + more_events, bytes + more_bytes);
            taken.extend(
                state
                    .waiting
                    .pop_front()
                    // Nobody waits for it any more, and nothing of it has happened.
                    .filter(|next| !next.reply.is_closed()),
            );
        }
        if taken.is_empty() {
            state.is_served = false;
            return None;
        }
        Some(taken)
    }

    /// Puts calls back that were taken, in their order: they are the next ones.
    pub(super) fn put_back(&self, taken: Vec<Waiting>) {
        let mut state = self.state();
        for waiting in taken.into_iter().rev() {
            state.waiting.push_front(waiting);
        }
    }

    /// A call of so many callers failed.
    pub(super) fn narrow(&self, callers: usize) {
        self.state().window = (callers / 2).max(1);
    }

    /// A call succeeded.
    pub(super) fn widen(&self) {
        let mut state = self.state();
        state.window = state.window.saturating_mul(2);
    }

    /// Nobody is at work any more, whatever was left to do: those who wait are told by their channels.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.is_served = false;
        state.waiting.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Its events, and the bytes of their payloads.
    fn size(&self) -> (usize, usize) {
        let events = self.requests.iter().flat_map(|request| &request.events);
        events.fold((0, 0), |(count, bytes), event| {
            (count + 1, bytes + event.payload().size())
        })
    }
}
