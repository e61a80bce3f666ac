use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Call, Reply};

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry(
    /// When, on the clock of all processes.
    pub(crate) u64,
    /// Who: a process, and a lane of it after a dot.
    pub(crate) String,
    /// What.
    pub(crate) Record,
);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// An operation is about to begin. Its number is the actor's.
    Begin(u64, Call),
    /// It ended.
    End(u64, Reply),
    /// The sink got events.
    Arrival(Arrival),
    /// The sink refused the event of this number.
    Rejected(String, u64),
    /// The nemesis began to do something, or ended it.
    Fault(FaultMark),
    /// The server froze for so long that pools are watched while they recover.
    LongFreeze,
    /// Everything is healed; what is left is to be delivered.
    Healed,
    /// Nothing is pending any more, or the time for that was over.
    Drained { pending: u64 },
    /// What is left in the processes and in the server.
    Health(Health),
}

/// Events that arrived together at the sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrival {
    pub(crate) run: String,
    pub(crate) claim_no: u64,
    /// Number, key and fingerprint of each, in order.
    pub(crate) events: Vec<(u64, String, u64)>,
}

/// An act of the nemesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FaultMark {
    pub(crate) number: u64,
    pub(crate) kind: String,
    pub(crate) phase: FaultPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FaultPhase {
    /// It is about to happen.
    Begins,
    /// All that it broke works again.
    Healed,
    /// It could not be done. What it may have broken works again.
    Failed,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) idle_in_transaction: u64,
    pub(crate) advisory_locks: u64,
    pub(crate) connections: u64,
    pub(crate) max_connections: u64,
    /// The memory of the kinds of processes in KiB, early in the campaign and at its end.
    pub(crate) memory: BTreeMap<String, (u64, u64)>,
}

/// What the database held at the end: a line for each run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FinalRun {
    pub(crate) run: String,
    pub(crate) status: String,
    pub(crate) last_seq: u64,
    pub(crate) delivered_seq: u64,
    pub(crate) pruned: bool,
    pub(crate) parked: bool,
    /// How many dead letters the run says that it has.
    pub(crate) dead_letter_count: u64,
    /// Number, key, fingerprint and type of each event, in the order of their numbers.
    pub(crate) events: Vec<(u64, String, u64, String)>,
    pub(crate) dead_letters: Vec<FinalDeadLetter>,
    /// Whether the stored checkpoint, if there is one, is the fold of the log up to it.
    pub(crate) checkpoint_holds: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FinalDeadLetter {
    pub(crate) dead_letter_no: u64,
    pub(crate) seq: u64,
    pub(crate) attempts: u64,
    pub(crate) cause: String,
    pub(crate) resolution: Option<String>,
}

/// All runs by their names.
pub(crate) type Final = BTreeMap<String, FinalRun>;
