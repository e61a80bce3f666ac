use crate::destination::Destination;
use crate::error_class::{BoxError, ErrorClass, SharedError};
use crate::invalid_call::InvalidCall;
use crate::lease::LeaseError;
use crate::run_key::RunKey;

/// Why a call of [`OutboxStorage`](crate::OutboxStorage) failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The call is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidCall),
    /// The lease does not allow it.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The store does not know the run.
    #[error("run {run} is not there: look for it under its own tenant")]
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
    #[error("run {run} has no dead letter {dead_letter_no}: list its dead letters")]
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
    /// The store is not set up for it: a missing privilege, a read-only file, a foreign or newer schema. Nothing happened.
    #[error("{operation} was refused by the store: see the cause")]
    Refused {
        /// The port method.
        operation: &'static str,
        /// The cause.
        source: SharedError,
    },
    /// Nothing happened; the same call may succeed later.
    #[error("{operation} failed for now, nothing was written: try again")]
    Transient {
        /// The port method.
        operation: &'static str,
        /// The cause.
        source: SharedError,
    },
    /// It may have happened.
    #[error("{operation} may or may not have happened: repeat the same call, which is safe")]
    Unknown {
        /// The port method.
        operation: &'static str,
        /// The cause.
        source: SharedError,
    },
    /// The store broke its own rules.
    #[error("{operation} met a state that cannot be: please report it")]
    Bug {
        /// The port method.
        operation: &'static str,
        /// The cause.
        source: SharedError,
    },
}

impl OutboxError {
    /// An error of class `Caller`: the store is not set up for the operation.
    #[must_use]
    pub fn refused(operation: &'static str, source: impl Into<BoxError>) -> Self {
        let source = SharedError::from(source.into());
        Self::Refused { operation, source }
    }

    /// An error of class `Transient`: nothing happened, and the same call may succeed later.
    #[must_use]
    pub fn transient(operation: &'static str, source: impl Into<BoxError>) -> Self {
        let source = SharedError::from(source.into());
        Self::Transient { operation, source }
    }

    /// An error of class `Unknown`: it may have happened.
    #[must_use]
    pub fn unknown(operation: &'static str, source: impl Into<BoxError>) -> Self {
        let source = SharedError::from(source.into());
        Self::Unknown { operation, source }
    }

    /// An error of class `Bug`: the store broke its own rules.
    #[must_use]
    pub fn bug(operation: &'static str, source: impl Into<BoxError>) -> Self {
        let source = SharedError::from(source.into());
        Self::Bug { operation, source }
    }

    /// What a caller should do.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Invalid(_) | Self::Refused { .. } => ErrorClass::Caller,
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
