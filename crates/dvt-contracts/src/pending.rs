//! What an outbox says about the work that it holds.

use std::time::Duration;

use crate::dead_letter::OperatorNote;
use crate::destination::Destination;
use crate::identifier::TenantId;
use crate::run_key::RunKey;
use crate::safe_text::SafeText;
use crate::timestamp::Timestamp;

/// Which runs with undelivered events to list. They come in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingQuery {
    /// Only those of this tenant.
    pub tenant_id: Option<TenantId>,
    /// Only this run.
    pub run: Option<RunKey>,
    /// Only runs with a greater key: the last one of the page before.
    pub after: Option<RunKey>,
    /// At most this many; 0 gives none, more than [`MAX_PAGE`](crate::MAX_PAGE) counts as that.
    pub limit: u32,
}

impl Default for PendingQuery {
    /// The first page of all.
    fn default() -> Self {
        Self {
            tenant_id: None,
            run: None,
            after: None,
            limit: crate::limits::MAX_PAGE,
        }
    }
}

/// A run with undelivered events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRun {
    /// The run.
    pub run: RunKey,
    /// The cursor: everything up to here is delivered or skipped.
    pub delivered_seq: u64,
    /// The head.
    pub last_seq: u64,
    /// `persisted_at` of the oldest undelivered event.
    pub pending_since: Timestamp,
    /// What the run waits for.
    pub state: PendingState,
    /// Failed deliveries of the event after the cursor.
    pub attempts: u32,
    /// Claims since the last acknowledge, fail, release or park.
    pub unfinished_claims: u32,
    /// The number of the last claim.
    pub claim_no: u64,
    /// The last failure of the event after the cursor.
    pub last_error: Option<SafeText>,
}

/// What a run with undelivered events waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingState {
    /// The next claim.
    Due,
    /// The one who claimed it.
    Leased {
        /// When the lease ends.
        until: Timestamp,
    },
    /// The end of its back-off.
    BackingOff {
        /// When it is due again.
        until: Timestamp,
    },
    /// An operator.
    Parked {
        /// Since when.
        since: Timestamp,
        /// The dead letter that parks it.
        dead_letter_no: u64,
    },
}

/// The whole outbox in numbers, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboxStats {
    /// Runs that the next claim may take.
    pub due_runs: u64,
    /// Runs under an unexpired lease.
    pub leased_runs: u64,
    /// Runs waiting for the end of their back-off.
    pub backing_off_runs: u64,
    /// Runs waiting for an operator.
    pub parked_runs: u64,
    /// Events that are neither delivered nor dead.
    pub pending_events: u64,
    /// Dead letters, resolved or not.
    pub dead_letters: u64,
    /// Events that were given up for good.
    pub skipped_events: u64,
    /// Age of the oldest undelivered event, dead or not, by the store's clock; `None` if there is none.
    pub oldest_pending_age: Option<Duration>,
    /// Where the outbox delivers to, once bound.
    pub destination: Option<Destination>,
    /// The last time that it was replaced.
    pub last_retarget: Option<Retarget>,
}

/// A change of the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retarget {
    /// The destination before.
    pub from: Destination,
    /// The destination since then.
    pub to: Destination,
    /// Who replaced it, and why.
    pub note: OperatorNote,
    /// When, by the store's clock.
    pub at: Timestamp,
}
