use serde::{Deserialize, Serialize};

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// To an append, for each of its requests.
    Appended(Vec<Answer>),
    /// To a bootstrap.
    Bootstrapped(Vec<StoredEvent>),
    /// To a read: the head, whether the run is pruned, and the events with their fingerprints.
    Page {
        head: u64,
        pruned: bool,
        events: Vec<(u64, u64)>,
    },
    /// To a listing: the runs that it named.
    Listed(Vec<String>),
    /// To a claim.
    Claimed(Vec<Claimed>),
    /// To an acknowledgement, a release or an extension, for each lease.
    Leases(Vec<LeaseAnswer>),
    /// To a failure.
    Failed(FailAnswer),
    /// To a prune: how many events it removed.
    Pruned(u64),
    /// To an operator.
    Operated(OperatorAnswer),
    /// Nothing happened.
    Refused(String),
    /// It may have happened.
    Unknown(String),
}

/// To one request of an append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Stored { head: u64, events: Vec<StoredEvent> },
    Refused(String),
}

/// One event of a request, as the reply told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredEvent(
    /// Its number in its run.
    pub(crate) u64,
    /// Its fingerprint.
    pub(crate) u64,
    /// Whether its key was known.
    pub(crate) bool,
);

/// A run under a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) run: String,
    pub(crate) claim_no: u64,
    pub(crate) lease_millis: u64,
    pub(crate) attempts: u32,
    pub(crate) unfinished: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LeaseAnswer {
    Done,
    /// The lease has ended, and the cursor is here.
    Stale(u64),
    Refused(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailAnswer {
    BackingOff,
    /// With the number of the dead letter.
    Parked(u64),
    Skipped(u64),
    Stale(u64),
}

/// The dead letter that an operator got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperatorAnswer {
    pub(crate) dead_letter_no: u64,
    pub(crate) seq: u64,
}
