use std::fmt;

use uuid::Uuid;

use crate::error_class::ErrorClass;
use crate::run_key::RunKey;
use crate::timestamp::Timestamp;

/// The right to deliver one run's events, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunKey,
    /// Rises by one with each claim of the run. Receivers can refuse a smaller one than they have seen.
    pub claim_no: u64,
    /// Proves the claim; unique to it.
    pub token: LeaseToken,
    /// When the run may be claimed by another, by the store's clock.
    pub expires_at: Timestamp,
    /// The last event that was handed out with it. Nothing beyond can be acknowledged or failed.
    pub last_seq: u64,
}

/// A random 128-bit token, unique to one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken(Uuid);

impl LeaseToken {
    /// A new random token.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The token as a UUID, for stores to keep.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for LeaseToken {
    fn from(token: Uuid) -> Self {
        Self(token)
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a relay reports as delivered under one lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The lease.
    pub lease: Lease,
    /// The last event that the sink stored.
    pub through: u64,
}

/// What a failed delivery leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOutcome {
    /// The run waits and is claimed again later.
    BackingOff {
        /// When it is due again, by the store's clock.
        until: Timestamp,
    },
    /// The attempts are used up: the event is a dead letter and the run waits for an operator.
    Parked {
        /// The dead letter's number within the run.
        dead_letter_no: u64,
    },
    /// The attempts are used up: the event is a dead letter, marked as skipped, and the run goes on.
    Skipped {
        /// The dead letter's number within the run.
        dead_letter_no: u64,
    },
}

/// Why work under a lease was refused. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The lease has ended: it was used, released or stolen, or it had expired when it was to be extended.
    #[error(
        "the lease on run {run} has ended, it is done with up to {delivered_seq}: go on if that covers you, else claim again"
    )]
    StaleLease {
        /// The run.
        run: RunKey,
        /// The run's cursor: everything up to here is delivered or was skipped. At or above the caller's last event,
        /// nothing is left to do.
        delivered_seq: u64,
    },
    /// An event that was not handed out with the lease, or is delivered already.
    #[error(
        "event {seq} of run {run} is not under the lease: name one after {delivered_seq}, up to {last_seq}"
    )]
    SeqOutOfRange {
        /// The run.
        run: RunKey,
        /// The event named.
        seq: u64,
        /// The run's cursor.
        delivered_seq: u64,
        /// The last event under the lease.
        last_seq: u64,
    },
    /// The store does not know the run.
    #[error("run {run} is not there: the lease belongs to another store")]
    RunNotFound {
        /// The run.
        run: RunKey,
    },
}

impl LeaseError {
    /// What a caller should do.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::StaleLease { .. } => ErrorClass::Conflict,
            Self::SeqOutOfRange { .. } => ErrorClass::Caller,
            Self::RunNotFound { .. } => ErrorClass::NotFound,
        }
    }
}
