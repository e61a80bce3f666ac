//! From input bytes to events: one module per format.

use dvt_contracts::{EnvironmentId, Event, ProviderRef, RunKey, RunMetadata, TenantId};

mod dbt;
mod feed;
mod fields;
mod fitting;
#[cfg(test)]
mod fuzz;
mod json_error;
mod lines;
mod ndjson;
mod object;
mod tail;
mod temporal;

pub(crate) use self::dbt::{Continuation, DbtReader};
pub(crate) use self::feed::{Fed, FedLine, Feed};
pub(crate) use self::ndjson::NdjsonReader;
pub(crate) use self::tail::Tail;
pub(crate) use self::temporal::TemporalReader;

/// What a tool's own records do not say.
#[derive(Debug, Clone)]
pub(crate) struct Ownership {
    /// Who the runs belong to.
    pub(crate) tenant_id: TenantId,
    /// Where they ran.
    pub(crate) environment_id: EnvironmentId,
}

/// What a format makes of its lines.
pub(crate) trait Reader: std::fmt::Debug + Send {
    /// The longest line that can hold anything useful, in bytes without its line break.
    fn line_limit(&self) -> usize;

    /// Takes in one line that is not blank. A line may give no item yet, or several.
    fn line(&mut self, number: u64, text: &str, items: &mut Vec<Item>);

    /// Gives what was held back for lines that never came.
    fn finish(&mut self, items: &mut Vec<Item>);

    /// What the user should know about an input that was read without errors and still tells little.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// What a line gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// An event to record.
    Record(Box<Record>),
    /// A run to make, without an event.
    Run(Box<RunOnly>),
    /// Nothing to record, and why that is right: the kind of line.
    Ignored(String),
    /// A line that should have been an event.
    Rejected {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A run with everything that is needed to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunOnly {
    /// The line that it comes from, counted from 1.
    pub(crate) line: u64,
    /// The run.
    pub(crate) run: RunKey,
    /// What the line says it is a run of.
    pub(crate) metadata: RunMetadata,
    /// Where the line says the provider knows the run.
    pub(crate) provider_ref: Option<ProviderRef>,
}

/// An event with everything that is needed to record it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The line that it comes from, counted from 1.
    pub(crate) line: u64,
    /// Its run.
    pub(crate) run: RunKey,
    /// What the line says its run is a run of.
    pub(crate) metadata: RunMetadata,
    /// The event.
    pub(crate) event: Event,
    /// The `run_seq` that the line says the event has.
    pub(crate) run_seq: Option<u64>,
    /// Where the line says the provider knows the run.
    pub(crate) provider_ref: Option<ProviderRef>,
}
