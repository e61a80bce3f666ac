use std::fmt;

use super::counts::FaultCounts;
use super::fault::Fault;
use crate::failure::{Failure, check};

/// A campaign in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toll {
    /// What was injected.
    pub faults: FaultCounts,
    /// Events that a reply told of.
    pub acknowledged: u64,
    /// Tries of requests with an unknown outcome.
    pub unknown: u64,
    /// Requests that turned out to have been stored by a try with an unknown outcome.
    pub was_stored: u64,
    /// Requests that turned out not to have been.
    pub was_not: u64,
    /// Events that arrived at the sink.
    pub delivered: u64,
    /// Arrivals of events that had arrived before.
    pub repeated: u64,
}

impl Toll {
    /// A campaign that met too little proves nothing: so many faults must have hit, and unknown outcomes must have turned out
    /// both ways.
    ///
    /// # Errors
    /// What was too little.
    pub fn check_hits(&self, least: u64) -> Result<(), Failure> {
        check!(
            self.faults.total() >= least,
            "void: expected {least} faults at least: {self}"
        );
        check!(
            self.was_stored > 0 && self.was_not > 0,
            "void: expected unknown outcomes of both kinds: {self}"
        );
        Ok(())
    }

    /// Each of these kinds of fault must have hit so many calls.
    ///
    /// # Errors
    /// Which hit less.
    pub fn check_kinds(&self, kinds: &[Fault], least: u64) -> Result<(), Failure> {
        for fault in kinds {
            let hits = self.faults.of(*fault);
            check!(
                hits >= least,
                "void: {hits} calls were {fault}, expected {least} at least: {self}"
            );
        }
        Ok(())
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            faults: self.faults.and(&other.faults),
            acknowledged: self.acknowledged + other.acknowledged,
            unknown: self.unknown + other.unknown,
            was_stored: self.was_stored + other.was_stored,
            was_not: self.was_not + other.was_not,
            delivered: self.delivered + other.delivered,
            repeated: self.repeated + other.repeated,
        }
    }
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events acknowledged, {} unknown outcomes ({} were stored, {} were not), {} delivered, {} again; {}",
            self.acknowledged,
            self.unknown,
            self.was_stored,
            self.was_not,
            self.delivered,
            self.repeated,
            self.faults
        )
    }
}
