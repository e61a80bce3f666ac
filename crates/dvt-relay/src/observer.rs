use std::fmt;
use std::time::Duration;

use dvt_contracts::{FailOutcome, OutboxError, RunKey, SafeText};

/// What a relay tells of its work, as it happens: for logs, metrics, progress lines.
#[derive(Debug)]
#[non_exhaustive]
pub enum RelayEvent<'a> {
    /// The loop goes round, as it does at least once a second: silence means that it hangs.
    Turned,
    /// A claim came back.
    Claimed {
        /// How many runs it has.
        runs: usize,
        /// How many events they have.
        events: usize,
        /// How long the store took.
        took: Duration,
    },
    /// The sink answered for a run, or ran out of time.
    Published {
        /// The run.
        run: &'a RunKey,
        /// How many events it stored.
        stored: usize,
        /// Why it stopped, if it did.
        stopped: Option<&'a SafeText>,
        /// How long the sink took.
        took: Duration,
    },
    /// Events are acknowledged.
    Delivered {
        /// How many.
        events: u64,
    },
    /// An event was charged a failed attempt.
    Charged {
        /// The run.
        run: &'a RunKey,
        /// The event.
        run_seq: u64,
        /// What that led to.
        outcome: FailOutcome,
    },
    /// A lease was lost to the clock or to another relay, and the work under it was ended.
    LeaseLost {
        /// The run.
        run: &'a RunKey,
    },
    /// The sink is down: nothing is sent but single probes.
    SinkDown {
        /// The last reason.
        reason: &'a SafeText,
    },
    /// The sink is back.
    SinkUp,
    /// The store did not answer; the relay tries again.
    StoreFailed {
        /// What it said.
        error: &'a OutboxError,
    },
}

/// Watches a relay. Called from the relay's own loop: it must not block.
pub trait RelayObserver: fmt::Debug + Send + Sync {
    /// Something happened.
    fn observe(&self, event: &RelayEvent<'_>);
}

/// Watches nothing.
impl RelayObserver for () {
    fn observe(&self, _event: &RelayEvent<'_>) {}
}
