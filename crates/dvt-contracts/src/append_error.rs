use crate::error_class::ErrorClass;
use crate::event::RunEvent;
use crate::idempotency_key::IdempotencyKey;
use crate::run_key::RunKey;
use crate::run_state::IllegalTransition;
use crate::timestamp::Timestamp;

/// Why one request of a call was refused. Nothing of it was written; its neighbours are not concerned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// No such run for this tenant.
    #[error("run {run} is not there: bootstrap it first")]
    RunNotFound {
        /// The run asked for.
        run: RunKey,
    },
    /// The run was pruned.
    #[error("run {run} was pruned at {pruned_at}: it takes no more events")]
    RunPruned {
        /// The run.
        run: RunKey,
        /// When it was pruned, by the store's clock.
        pruned_at: Timestamp,
    },
    /// The head is not where the request expected it, and some of its keys are new.
    #[error("run {run} is at {actual}, expected {expected}: read on and decide again")]
    VersionConflict {
        /// The run.
        run: RunKey,
        /// The head that the request expected.
        expected: u64,
        /// The head that was found.
        actual: u64,
    },
    /// A known key came with other content under `ConflictPolicy::Reject`.
    #[error(
        "key {:?} of run {run} is taken by an event with other content: choose another key, or let the first write win",
        idempotency_key.as_str()
    )]
    IdempotencyConflict {
        /// The run.
        run: RunKey,
        /// The key.
        idempotency_key: IdempotencyKey,
        /// The event that holds the key; `None` if it came earlier in the same request, which was
        /// not written.
        stored: Option<Box<RunEvent>>,
    },
    /// The run has used up its numbers.
    #[error(
        "run {run} is at {head}: {events} more events do not fit below 2^63, start another run"
    )]
    SequenceOverflow {
        /// The run.
        run: RunKey,
        /// The head.
        head: u64,
        /// How many new events the request has.
        events: usize,
    },
    /// The transition table does not allow the event. Only stores that judge answer this.
    #[error("run {run}: {illegal}")]
    IllegalTransition {
        /// The run.
        run: RunKey,
        /// What is illegal about the event.
        illegal: Box<IllegalTransition>,
    },
}

impl AppendError {
    /// What a caller should do.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::RunNotFound { .. } => ErrorClass::NotFound,
            Self::SequenceOverflow { .. } | Self::IllegalTransition { .. } => ErrorClass::Caller,
            Self::RunPruned { .. }
            | Self::VersionConflict { .. }
            | Self::IdempotencyConflict { .. } => ErrorClass::Conflict,
        }
    }
}
