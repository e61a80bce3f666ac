//! What all parts of one simulation share: time, chance, weather, the book and the trace.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dvt_adapter_memory::ManualClock;
use dvt_contracts::{RunKey, Timestamp};
use fastrand::Rng;
use tokio::time::Instant;

use crate::book::Book;
use crate::planted::Bug;
use crate::trace::Trace;

/// What the sink does with everything at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Takes up to so long for an event.
    Slow(Duration),
    /// Loses every fourth request, and every fourth reply.
    Lossy,
    Unavailable,
    Silent,
}

/// What the sink does with one event, whatever its mood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    Rejected,
    Unavailable,
    Silence,
    Panic,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rng: Rng,
    pub(crate) book: Book,
    pub(crate) trace: Trace,
    pub(crate) mood: Mood,
    pub(crate) poison: BTreeMap<(RunKey, u64), Poison>,
    /// Whether calls of the store are slow, refused or left without answer.
    pub(crate) store_is_rough: bool,
}

#[derive(Debug)]
pub(crate) struct Stage {
    begun_at: Instant,
    clock: ManualClock,
    pub(crate) bug: Option<Bug>,
    state: Mutex<State>,
    /// How far the store's clock is ahead, in milliseconds.
    ahead: Mutex<Duration>,
}

impl Stage {
    pub(crate) fn new(seed: u64, bug: Option<Bug>, keep_lines: bool) -> Arc<Self> {
        Arc::new(Self {
            begun_at: Instant::now(),
            clock: ManualClock::at(epoch()),
            bug,
            ahead: Mutex::default(),
            state: Mutex::new(State {
                rng: Rng::with_seed(seed),
                book: Book::begin(),
                trace: Trace::begin(keep_lines),
                mood: Mood::Well,
                poison: BTreeMap::new(),
                store_is_rough: false,
            }),
        })
    }

    pub(crate) fn clock(&self) -> ManualClock {
        self.clock.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the store's clock to where time is, and reads it.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let now = epoch().saturating_add(self.begun_at.elapsed() + ahead);
        self.clock.set(now);
        now
    }

    /// Sets the store's clock ahead of all others, by another span than before.
    pub(crate) fn set_ahead(&self, ahead: Duration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }

    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        self.state().trace.note(what);
    }

    pub(crate) fn count(&self, what: &'static str) {
        self.state().book.tally.count(what);
    }

    /// A span up to the longest, in whole milliseconds.
    pub(crate) fn span(&self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.state().rng.u64(0..=longest))
    }

    /// True once in so many times.
    pub(crate) fn one_in(&self, many: u32) -> bool {
        self.state().rng.u32(0..many) == 0
    }
}

fn epoch() -> Timestamp {
    dvt_conformance::fixture::moment("2026-01-01T00:00:00Z")
}
