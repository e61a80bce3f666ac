use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use super::reader::Reader;
use crate::BoxError;
use crate::history::{Claimed, Entry, Health, OperatorAct, StoredEvent};

/// No end is known: whoever began it is gone.
pub(crate) const NEVER: u64 = u64::MAX;

/// What a history tells, run by run.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) runs: HashMap<String, RunFacts>,
    pub(crate) faults: Vec<Fault>,
    /// When each operation began and ended.
    pub(crate) spans: Vec<(u64, u64)>,
    /// When each append succeeded, and whose it was.
    pub(crate) successes: Vec<(u64, u32)>,
    pub(crate) append_calls: u64,
    /// Runs of other tenants that a listing named.
    pub(crate) foreign: Vec<(String, String)>,
    /// Claims that were handed out twice under one number.
    pub(crate) twice_claimed: Vec<(String, u64)>,
    pub(crate) long_freezes: Vec<u64>,
    pub(crate) healed: Option<u64>,
    pub(crate) drained: Option<(u64, u64)>,
    pub(crate) health: Option<Health>,
    pub(crate) actors: Vec<String>,
}

/// What happened to a run.
#[derive(Debug, Default)]
pub(crate) struct RunFacts {
    pub(crate) writes: Vec<Write>,
    /// Heads that readers saw.
    pub(crate) sightings: Vec<Sighting>,
    /// Number and fingerprint of the events that readers saw.
    pub(crate) reads: Vec<(u64, u64)>,
    pub(crate) claims: BTreeMap<u64, Claim>,
    pub(crate) endings: Vec<Ending>,
    pub(crate) operations: Vec<Operation>,
    /// In the order in which the sink got them.
    pub(crate) arrivals: Vec<Arrived>,
}

/// A request of an append, or a bootstrap.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) outcome: Outcome,
    pub(crate) expected: Option<u64>,
    /// The first request of its call.
    pub(crate) leads: bool,
    pub(crate) events: Vec<Written>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Stored { head: Option<u64> },
    Refused,
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) key: u64,
    pub(crate) fingerprint: u64,
    /// Its place in [`EventType::KNOWN`](dvt_contracts::EventType::KNOWN).
    pub(crate) kind: u8,
    pub(crate) reply: Option<StoredEvent>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) head: u64,
}

#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) claimed: Claimed,
}

/// An attempt to end a lease, or to lengthen it.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) claim_no: u64,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) kind: EndingKind,
    pub(crate) outcome: EndingOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndingKind {
    Acknowledge(u64),
    Fail(u64),
    Release,
    Extend { millis: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndingOutcome {
    Done,
    Parked,
    Skipped,
    Stale,
    Refused,
    Unknown,
}

/// What an operator did, or may have done.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) act: OperatorAct,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    pub(crate) seq: u64,
    pub(crate) key: u64,
    pub(crate) fingerprint: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) number: u64,
    pub(crate) kind: String,
    pub(crate) begin: u64,
    /// `None` if it never was.
    pub(crate) healed: Option<u64>,
}

impl Facts {
    /// Reads a history.
    pub(crate) fn read(lines: impl BufRead) -> Result<Self, BoxError> {
        let mut reader = Reader::default();
        for (at, line) in lines.lines().enumerate() {
            let entry: Entry = serde_json::from_str(&line?)
                .map_err(|error| format!("line {} of the history: {error}", at + 1))?;
            reader.take(entry);
        }
        Ok(reader.finish())
    }

    /// The same from entries at hand.
    #[cfg(test)]
    pub(crate) fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut reader = Reader::default();
        entries.into_iter().for_each(|entry| reader.take(entry));
        reader.finish()
    }
}
