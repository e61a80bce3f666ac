use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, MAX_CALL_BYTES, MAX_CALL_EVENTS, RunKey, StoreError,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::flight::Flight;

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
#[derive(Debug)]
pub(super) struct Queue {
    /// How many flights may be under way at once.
    flights: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Waiting>,
    /// How many requests concern a run, waiting or under way.
    requests: HashMap<RunKey, usize>,
    /// The runs of what is under way: other requests for them wait, so that their order is kept.
    busy: HashSet<RunKey>,
    /// How many tasks are at work.
    workers: usize,
    /// How many callers may go out together: less after a failure, so that whoever is the reason is soon alone.
    window: usize,
}

/// How many calls are passed over that wait for their runs, before those behind them have to wait, too.
const MAX_PASSED_OVER: usize = 1_024;

impl Queue {
    pub(super) fn new(flights: usize) -> Self {
        Self {
            flights,
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                requests: HashMap::new(),
                busy: HashSet::new(),
                workers: 0,
                window: usize::MAX,
            }),
        }
    }

    /// Adds a call. Whether the caller starts another task to work on them.
    pub(super) fn push(&self, call: Waiting) -> bool {
        let mut state = self.state();
        let mut is_free = true;
        for run in call.runs() {
            let requests = state.requests.entry(run.clone()).or_default();
            is_free &= *requests == 0;
            *requests += 1;
        }
        state.waiting.push_back(call);
        // What waits for a run is taken by the task that is at work on it.
        let starts = state.workers == 0 || (is_free && state.workers < self.flights);
        state.workers += usize::from(starts);
        starts
    }

    /// Takes as many calls as go together. Nothing: the task ends, and a later call starts another.
    pub(super) fn take(&self) -> Option<Flight<'_>> {
        let mut state = self.state();
        let (calls, runs) = state.take(self.flights);
        if calls.is_empty() {
            state.workers -= 1;
            return None;
        }
        state.busy.extend(runs.iter().cloned());
        Some(Flight::new(self, calls, runs))
    }

    /// Its runs are free. Its calls are over, or wait anew, before all others.
    pub(super) fn end(&self, runs: &HashSet<RunKey>, over: &[Waiting], again: Vec<Waiting>) {
        let mut state = self.state();
        for run in runs {
            state.busy.remove(run);
        }
        for call in over {
            state.forget(call);
        }
        for call in again.into_iter().rev() {
            state.waiting.push_front(call);
        }
    }

    /// A flight of so many callers failed.
    pub(super) fn narrow(&self, callers: usize) {
        self.state().window = (callers / 2).max(1);
    }

    /// A flight succeeded.
    pub(super) fn widen(&self) {
        let mut state = self.state();
        state.window = state.window.saturating_mul(2);
    }

    /// A task is gone before its time. If no other is at work, those who wait are told by their channels.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.workers -= 1;
        if state.workers == 0 {
            state.waiting.clear();
            state.requests.clear();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next calls and their runs, none of which is busy: no more than a flight's share of the runs, since as many flights as
    /// may be are faster than one.
    fn take(&mut self, flights: usize) -> (Vec<Waiting>, HashSet<RunKey>) {
        let share = self.requests.len().div_ceil(flights);
        let (mut taken, mut runs, mut events, mut bytes) = (Vec::new(), HashSet::new(), 0, 0);
        let (mut passed_over, mut held) = (Vec::new(), HashSet::new());
        while taken.len() < self.window
            && passed_over.len() < MAX_PASSED_OVER
            && let Some(call) = self.waiting.pop_front()
        {
            // Nobody waits for it any more, and nothing of it has happened.
            if call.reply.is_closed() {
                self.forget(&call);
                continue;
            }
            let is_new = |run: &&RunKey| !runs.contains(*run);
            let more_runs = call.runs().filter(is_new).count();
            let waits = call
                .runs()
                .any(|run| self.busy.contains(run) || held.contains(run));
            if waits || (more_runs > 0 && !runs.is_empty() && runs.len() + more_runs > share) {
                held.extend(call.runs().cloned());
                passed_over.push(call);
                continue;
            }
            let (more_events, more_bytes) = call.size();
            if events + more_events > MAX_CALL_EVENTS || bytes + more_bytes > MAX_CALL_BYTES {
                self.waiting.push_front(call);
                break;
            }
            (events, bytes) = (events + more_events, bytes + more_bytes);
            runs.extend(call.runs().cloned());
            taken.push(call);
        }
        for call in passed_over.into_iter().rev() {
            self.waiting.push_front(call);
        }
        (taken, runs)
    }

    /// A call neither waits nor is under way.
    fn forget(&mut self, call: &Waiting) {
        for run in call.runs() {
            if let Some(requests) = self.requests.get_mut(run) {
                *requests -= 1;
                if *requests == 0 {
                    self.requests.remove(run);
                }
            }
        }
    }
}

impl Waiting {
    /// The run of each of its requests.
    fn runs(&self) -> impl Iterator<Item = &RunKey> {
        self.requests.iter().map(|request| &request.run)
    }

    /// Its events, and the bytes of their payloads.
    fn size(&self) -> (usize, usize) {
        let events = self.requests.iter().flat_map(|request| &request.events);
        events.fold((0, 0), |(count, bytes), event| {
            (count + 1, bytes + event.payload().size())
        })
    }
}
