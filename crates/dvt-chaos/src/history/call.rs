use serde::{Deserialize, Serialize};

/// An operation, as it was asked for. Runs are named `tenant/run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Call {
    /// One call with these requests.
    Append(Vec<Append>),
    /// A run and its first events.
    Bootstrap { run: String, events: Vec<NewEvent> },
    /// A page of a run's log.
    Read { run: String, after: u64 },
    /// The runs of a tenant, or what waits of them, or what is dead of them.
    List { tenant: String },
    /// Runs to deliver.
    Claim,
    /// Everything up to the number is delivered.
    Acknowledge(Vec<(Held, u64)>),
    /// An event could not be delivered.
    Fail { held: Held, seq: u64 },
    /// Given back undone.
    Release(Vec<Held>),
    /// Lengthened by so many milliseconds.
    Extend { held: Vec<Held>, millis: u64 },
    /// An ended run's events are removed.
    Prune { run: String },
    /// Something that an operator does to a run.
    Operate { run: String, act: OperatorAct },
}

/// One request of an append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Append {
    pub(crate) run: String,
    /// The head that it expects.
    pub(crate) expected: Option<u64>,
    /// Whether a known key with other content refuses it.
    pub(crate) rejects: bool,
    pub(crate) events: Vec<NewEvent>,
}

/// An event that somebody wants to be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewEvent(
    /// Its key.
    pub(crate) String,
    /// Its fingerprint.
    pub(crate) u64,
    /// Its type.
    pub(crate) String,
);

/// A lease: its run and its number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Held(pub(crate) String, pub(crate) u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OperatorAct {
    Park,
    Retry(u64),
    Skip(u64),
}
