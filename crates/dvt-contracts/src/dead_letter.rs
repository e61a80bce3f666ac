use crate::identifier::TenantId;
use crate::run_key::RunKey;
use crate::safe_text::SafeText;
use crate::timestamp::Timestamp;

/// An event that could not be delivered. The record stays for ever; the event stays in the log until its run is pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The run.
    pub run: RunKey,
    /// Counts the run's dead letters: 1, 2, 3 …
    pub dead_letter_no: u64,
    /// The event.
    pub run_seq: u64,
    /// Failed deliveries before it was given up.
    pub attempts: u32,
    /// Why it was given up.
    pub cause: DeadLetterCause,
    /// The last failure; who parked the run and why, if an operator did.
    pub error: SafeText,
    /// When it was given up, by the store's clock.
    pub dead_at: Timestamp,
    /// How it ended; `None` while the run is parked.
    pub resolution: Option<Resolution>,
}

impl DeadLetter {
    /// Whether it still parks its run.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.resolution.is_none()
    }

    /// Whether its event was given up for good.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        let end = self.resolution.as_ref();
        end.is_some_and(|end| end.kind == ResolutionKind::Skipped)
    }
}

/// Why an event became a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterCause {
    /// Its deliveries failed too often.
    AttemptsExhausted,
    /// An operator parked the run.
    ParkedByOperator,
}

/// How a dead letter ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What was decided.
    pub kind: ResolutionKind,
    /// Who decided, and why.
    pub note: OperatorNote,
    /// When, by the store's clock.
    pub at: Timestamp,
}

/// What was decided about a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResolutionKind {
    /// The event goes out again.
    Retried,
    /// The event is never delivered.
    Skipped,
}

/// Who does something to an outbox by hand, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorNote {
    /// Who.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
}

impl OperatorNote {
    /// The note on an event that its retry policy skipped.
    #[must_use]
    pub fn exhausted() -> Self {
        Self::new("retry policy", "attempts exhausted")
    }

    /// Joins the two, sanitised.
    #[must_use]
    pub fn new(by: impl AsRef<[u8]>, reason: impl AsRef<[u8]>) -> Self {
        Self {
            by: SafeText::new(by),
            reason: SafeText::new(reason),
        }
    }
}

impl std::fmt::Display for OperatorNote {
    /// Writes `by: reason`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.by, self.reason)
    }
}

/// Which dead letters to list. They come in the order of run and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterQuery {
    /// Only those of this tenant.
    pub tenant_id: Option<TenantId>,
    /// Only those that still park their run.
    pub open_only: bool,
    /// Only those after this run and number: the last one of the page before.
    pub after: Option<(RunKey, u64)>,
    /// At most this many; 0 gives none, more than [`MAX_PAGE`](crate::MAX_PAGE) counts as that.
    pub limit: u32,
}

impl Default for DeadLetterQuery {
    /// The first page of all.
    fn default() -> Self {
        Self {
            tenant_id: None,
            open_only: false,
            after: None,
            limit: crate::limits::MAX_PAGE,
        }
    }
}
