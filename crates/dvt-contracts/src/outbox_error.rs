use crate::destination::Destination;
use crate::error_class::{BoxError, ErrorClass};
use crate::invalid_call::InvalidCall;
use crate::lease::LeaseError;
use crate::run_key::RunKey;

/// Why a call of [`OutboxStorage`](crate::OutboxStorage) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The call is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidCall),
    /// The lease does not allow it.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The store does not know the run.
    #[error("run {run} is not there")]
    RunNotFound {
        /// The run.
        run: RunKey,
    },
    /// The run has nothing that could be parked.
    #[error("run {run} is delivered up to its head {head}: there is nothing to park")]
    NothingPending {
        /// The run.
        run: RunKey,
        /// Its head.
        head: u64,
    },
    /// The run has no dead letter of this number.
    #[error("run {run} has no dead letter {dead_letter_no}")]
    DeadLetterNotFound {
        /// The run.
        run: RunKey,
        /// The number asked for.
        dead_letter_no: u64,
    },
    /// The dead letter ended the other way.
    #[error("dead letter {dead_letter_no} of run {run} was {} before: that stands",
        match .resolved { crate::ResolutionKind::Retried => "retried", crate::ResolutionKind::Skipped => "skipped" })]
    DeadLetterResolved {
        /// The run.
        run: RunKey,
        /// The dead letter's number.
        dead_letter_no: u64,
        /// How it ended.
        resolved: crate::ResolutionKind,
    },
    /// The outbox delivers to somewhere else.
    #[error("the outbox delivers to {bound}, not to {requested}: use that, or retarget the outbox")]
    DestinationMismatch {
        /// Where it delivers to.
        bound: Destination,
        /// What the caller named.
        requested: Destination,
    },
    /// The outbox has no destination that could be replaced.
    #[error("the outbox has no destination yet: bind {requested} instead")]
    NoDestination {
        /// What the caller named as the present destination.
        requested: Destination,
    },
    /// Nothing happened; the same call may succeed later.
    #[error("{operation} failed for now, nothing was written: try again")]
    Transient {
        /// The port method.
        operation: &'static str,
        /// The cause.
        source: BoxError,
    },
    /// It may have happened.
    #[error("{operation} may or may not have happened: repeat the same call, which is safe")]
    Unknown {
        /// The port method.
        operation: &'static str,
        /// The cause.
        source: BoxError,
    },
    /// The store broke its own rules.
    #[error("{operation} met a state that cannot be: please report it")]
    Bug {
        /// The port method.
        operation: &'static str,
        /// The cause.
        source: BoxError,
    },
}

impl OutboxError {
    /// What a caller should do.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Invalid(_) => ErrorClass::Caller,
            Self::Lease(error) => error.class(),
            Self::RunNotFound { .. } | Self::DeadLetterNotFound { .. } => ErrorClass::NotFound,
            Self::NothingPending { .. }
            | Self::DeadLetterResolved { .. }
            | Self::DestinationMismatch { .. }
            | Self::NoDestination { .. } => ErrorClass::Conflict,
            Self::Transient { .. } => ErrorClass::Transient,
            Self::Unknown { .. } => ErrorClass::Unknown,
            Self::Bug { .. } => ErrorClass::Bug,
        }
    }
}
