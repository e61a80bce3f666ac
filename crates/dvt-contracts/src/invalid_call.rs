use std::time::Duration;

use crate::limits::{
    MAX_CALL_BYTES, MAX_CALL_EVENTS, MAX_CALL_LEASES, MAX_CHECKPOINT_BYTES, MAX_LEASE, MIN_LEASE,
};
use crate::run_key::RunKey;

/// A call that no store accepts. It is refused before any side effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCall {
    /// A request without events.
    #[error("request {index} has no events: leave it out")]
    EmptyRequest {
        /// Its place in the call, counted from 0.
        index: usize,
    },
    /// Too many events in one call.
    #[error("the call has {found} events: at most {MAX_CALL_EVENTS} are allowed, split it")]
    TooManyEvents {
        /// How many.
        found: usize,
    },
    /// Too many payload bytes in one call.
    #[error("the call has {found} payload bytes: at most {MAX_CALL_BYTES} are allowed, split it")]
    TooManyBytes {
        /// How many.
        found: usize,
    },
    /// Too many leases in one call.
    #[error("the call names {found} leases: at most {MAX_CALL_LEASES} are allowed, split it")]
    TooManyLeases {
        /// How many.
        found: usize,
    },
    /// A lease that is too short or too long.
    #[error("a lease of {found:?} is out of range: from {MIN_LEASE:?} to {MAX_LEASE:?} is allowed")]
    LeaseOutOfRange {
        /// The length given.
        found: Duration,
    },
    /// A checkpoint with too many bytes.
    #[error(
        "the checkpoint has {found} bytes: at most {MAX_CHECKPOINT_BYTES} are allowed, leave it out"
    )]
    CheckpointTooLarge {
        /// How many.
        found: usize,
    },
    /// A checkpoint with a character that some stores cannot hold.
    #[error("the checkpoint at {run_seq} has a NUL: write it as JSON, which escapes it")]
    CheckpointWithNul {
        /// The checkpoint's `run_seq`.
        run_seq: u64,
    },
    /// A checkpoint of events that the log does not have.
    #[error("a checkpoint at {run_seq} lies beyond the head {head} of run {run}: fold its own log")]
    CheckpointBeyondHead {
        /// The run.
        run: RunKey,
        /// The checkpoint's `run_seq`.
        run_seq: u64,
        /// The run's head.
        head: u64,
    },
}

impl InvalidCall {
    /// The check of a lease's length, the same in `claim` and `extend`.
    ///
    /// # Errors
    /// [`InvalidCall::LeaseOutOfRange`] outside [`MIN_LEASE`] to [`MAX_LEASE`].
    pub fn check_lease(found: Duration) -> Result<(), Self> {
        if (MIN_LEASE..=MAX_LEASE).contains(&found) {
            Ok(())
        } else {
            Err(Self::LeaseOutOfRange { found })
        }
    }

    /// The check of the number of leases in a call.
    ///
    /// # Errors
    /// [`InvalidCall::TooManyLeases`] above [`MAX_CALL_LEASES`].
    pub fn check_leases(found: usize) -> Result<(), Self> {
        if found <= MAX_CALL_LEASES {
            Ok(())
        } else {
            Err(Self::TooManyLeases { found })
        }
    }
}
