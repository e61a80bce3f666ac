use dvt_contracts::RunKey;

/// A rule that a store keeps. The names are part of the command's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Every stored value can be read, payloads included.
    Readable,
    /// Events are numbered 1, 2, 3 … without a gap.
    Sequence,
    /// The head is the number of the last event.
    Head,
    /// `persisted_at` never decreases within a run.
    Moment,
    /// No two events of a run have the same key.
    Key,
    /// The status is the fold of the log.
    Status,
    /// The cursor lies within the log.
    Cursor,
    /// A checkpoint of this version is the fold of the log up to it.
    Checkpoint,
    /// A run with undelivered events is listed as pending, and no other.
    Outbox,
    /// A parked run has an open dead letter for the event after its cursor, and no other run has one.
    DeadLetter,
    /// A pruned run has ended, is delivered, and has neither events nor a checkpoint.
    Tombstone,
}

impl Rule {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Sequence => "sequence",
            Self::Head => "head",
            Self::Moment => "moment",
            Self::Key => "key",
            Self::Status => "status",
            Self::Cursor => "cursor",
            Self::Checkpoint => "checkpoint",
            Self::Outbox => "outbox",
            Self::DeadLetter => "dead_letter",
            Self::Tombstone => "tombstone",
        }
    }
}

/// A rule that is broken, where and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// The run; none if the list of runs itself cannot be read.
    pub(super) run: Option<RunKey>,
    pub(super) rule: Rule,
    pub(super) found: String,
}

impl Violation {
    pub(super) fn new(run: Option<RunKey>, rule: Rule, found: impl Into<String>) -> Self {
        Self {
            run,
            rule,
            found: found.into(),
        }
    }
}
