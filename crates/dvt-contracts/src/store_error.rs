use crate::append_error::AppendError;
use crate::error_class::{BoxError, ErrorClass, SharedError};
use crate::invalid_call::InvalidCall;
use crate::run_key::RunKey;
use crate::run_status::RunStatus;
use crate::timestamp::Timestamp;

/// Why a call of [`RunStateStore`](crate::RunStateStore) failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The call is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidCall),
    /// No such run for this tenant.
    #[error("run {run} is not there: bootstrap it, or look for it under its own tenant")]
    RunNotFound {
        /// The run asked for.
        run: RunKey,
    },
    /// The run was pruned.
    #[error("run {run} was pruned at {pruned_at}: only its metadata is left")]
    RunPruned {
        /// The run.
        run: RunKey,
        /// When it was pruned, by the store's clock.
        pruned_at: Timestamp,
    },
    /// Another bootstrap made this run.
    #[error(
        "run {run} exists already with other metadata or other first events: choose another run id"
    )]
    RunAlreadyExists {
        /// The run.
        run: RunKey,
    },
    /// The run has not ended, or events of it are still to be delivered.
    #[error(
        "run {run} is {status} and delivered up to {delivered_seq} of {head}: \
         only an ended, fully delivered run can be pruned"
    )]
    NotPrunable {
        /// The run.
        run: RunKey,
        /// Its status.
        status: RunStatus,
        /// Its cursor.
        delivered_seq: u64,
        /// Its head.
        head: u64,
    },
    /// The request was refused for a reason that only appends have.
    #[error(transparent)]
    Append(AppendError),
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

impl StoreError {
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
            Self::RunNotFound { .. } => ErrorClass::NotFound,
            Self::RunPruned { .. } | Self::RunAlreadyExists { .. } | Self::NotPrunable { .. } => {
                ErrorClass::Conflict
            }
            Self::Append(error) => error.class(),
            Self::Transient { .. } => ErrorClass::Transient,
            Self::Unknown { .. } => ErrorClass::Unknown,
            Self::Bug { .. } => ErrorClass::Bug,
        }
    }
}

impl From<AppendError> for StoreError {
    /// A missing or pruned run is the same error whatever was asked of it.
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::RunNotFound { run } => Self::RunNotFound { run },
            AppendError::RunPruned { run, pruned_at } => Self::RunPruned { run, pruned_at },
            other => Self::Append(other),
        }
    }
}
