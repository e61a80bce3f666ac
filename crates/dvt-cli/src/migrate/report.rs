use std::fmt;

use dvt_adapter_postgres::{Migration, PostgresSettings};
use dvt_contracts::Timestamp;
use serde::{Serialize, Serializer};

/// What the command found or did. The names are part of its interface.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: String,
    /// Whether it came to its end.
    pub(super) complete: bool,
    /// Each migration, in order.
    #[serde(rename = "migrations")]
    pub(super) lines: Vec<Line>,
}

/// A migration and its state.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    version: i64,
    description: &'static str,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_at: Option<String>,
}

/// The words for a migration's state, the same in a line and in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is applied: by this call, or whenever, if only that is asked.
    Applied,
    /// It was applied before this call.
    AlreadyThere,
    /// It is not applied.
    Pending,
    /// It is what a call without `--dry-run` would apply.
    WouldBeApplied,
}

impl Report {
    /// An empty one.
    pub(super) fn new(settings: &PostgresSettings) -> Self {
        Self {
            schema: settings.schema().to_string(),
            complete: true,
            lines: Vec::new(),
        }
    }
}

impl Line {
    /// A migration in a state.
    pub(super) fn new(migration: &Migration, state: State) -> Self {
        let (version, description) = (migration.version(), migration.description());
        Self {
            version,
            description,
            state,
            applied_at: None,
        }
    }

    /// The same, with the moment at which it was applied.
    pub(super) fn at(self, moment: Timestamp) -> Self {
        Self {
            applied_at: Some(moment.to_string()),
            ..self
        }
    }
}

/// Columns, separated by tabs: version, description, state and, if it is known, since when.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}\t{}\t{}",
            self.version, self.description, self.state
        )?;
        match &self.applied_at {
            Some(moment) => write!(f, "\t{moment}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "applied",
            Self::AlreadyThere => "already there",
            Self::Pending => "pending",
            Self::WouldBeApplied => "would be applied",
        })
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
