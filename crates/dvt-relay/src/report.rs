use dvt_contracts::{OutboxError, SafeText};

use crate::settings::InvalidRelaySettings;

/// What a relay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayReport {
    /// Events acknowledged.
    pub delivered: u64,
    /// Failed attempts charged to events.
    pub charged: u64,
    /// Leases lost to the clock or to another relay.
    pub leases_lost: u64,
    /// Runs whose work was cut off when the time to stop was over; they were given back, and their events may arrive again.
    pub cut_off: u64,
}

/// When a relay ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayMode {
    /// Never.
    Forever,
    /// When nothing is due any more. A sink that is down ends it too, as an error.
    UntilEmpty,
}

/// Why a relay ended in the middle of its work. What was claimed was given back, as far as the store could be reached.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// It could not begin: a bound is out of range.
    #[error(transparent)]
    Settings(#[from] InvalidRelaySettings),
    /// The store refused something that no repetition mends.
    #[error(transparent)]
    Store(#[from] OutboxError),
    /// The store panicked in a call.
    #[error("the store panicked in a call: please report it")]
    Panicked,
    /// The sink is down, and the relay was to end when its work is done.
    #[error("the sink is down: {reason}")]
    SinkDown {
        /// The last reason that it gave.
        reason: SafeText,
    },
}
