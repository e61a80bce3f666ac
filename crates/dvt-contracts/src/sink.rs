use std::time::Duration;

use async_trait::async_trait;

use crate::event::RunEvent;
use crate::run_key::RunKey;
use crate::safe_text::SafeText;

/// Where events go: a message bus, a webhook, a file.
///
/// # Contract
///
/// A sink promises a **prefix**: of the events offered it has stored the first `stored` ones, in order,
/// and none of the others, unless it stopped with [`Stop::Unknown`]. A relay acknowledges that prefix and
/// offers the rest again. So every event arrives at least once, with the same event id each time, and
/// first arrivals of a run come in log order. A sink never offers an event of a run to its bus before it knows the one
/// before to be stored, unless the bus itself refuses arrivals out of order. Throughput comes from many runs at once.
#[async_trait]
pub trait EventSink: std::fmt::Debug + Send + Sync {
    /// Stores the events of one run, in order, and says how far it came.
    ///
    /// `events` is not empty and in log order. `claim_no` rises with each claim of the run; receivers
    /// can refuse a smaller one than they have seen.
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published;
}

/// How far a sink came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// How many events, counted from the first, are stored for certain.
    pub stored: usize,
    /// Why it stopped there; `None` exactly if all were stored.
    pub stop: Option<Stop>,
}

/// Why a sink stopped before the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The sink cannot be reached or is overloaded. Not the event's fault: nobody is charged an attempt.
    Unavailable {
        /// What was seen.
        reason: SafeText,
        /// How long the sink asked to be left alone, if it did.
        retry_after: Option<Duration>,
    },
    /// The sink refuses this event. Counts as an attempt.
    Rejected {
        /// What was seen.
        reason: SafeText,
    },
    /// The reply was lost: the event may be stored. It is offered again.
    Unknown {
        /// What was seen.
        reason: SafeText,
    },
}
