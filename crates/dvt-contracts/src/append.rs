use crate::event::{Event, RunEvent};
use crate::invalid_call::InvalidCall;
use crate::limits::{MAX_CALL_BYTES, MAX_CALL_EVENTS};
use crate::metadata::RunMetadata;
use crate::run_key::RunKey;
use crate::timestamp::Timestamp;

/// What a request assumes about the head of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// Nothing.
    #[default]
    Any,
    /// The head is this `run_seq`; 0 means that the log is empty.
    At(u64),
}

/// What to do about a known key with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictPolicy {
    /// The first write wins; the reply carries it and says that the content differs.
    #[default]
    FirstWins,
    /// Refuse the request with `IdempotencyConflict` and write nothing.
    Reject,
}

/// Events for one run, appended all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendRequest {
    /// The run, which must have been bootstrapped.
    pub run: RunKey,
    /// What the request assumes about the head.
    pub expected: Expected,
    /// What to do about a known key with other content.
    pub on_conflict: ConflictPolicy,
    /// At least one event.
    pub events: Vec<Event>,
}

impl AppendRequest {
    /// An unconditional request in which the first write wins.
    #[must_use]
    pub fn new(run: RunKey, events: Vec<Event>) -> Self {
        Self {
            run,
            expected: Expected::Any,
            on_conflict: ConflictPolicy::FirstWins,
            events,
        }
    }

    /// The same request, conditional on the head.
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// The same request with another conflict policy.
    #[must_use]
    pub fn on_conflict(self, on_conflict: ConflictPolicy) -> Self {
        Self {
            on_conflict,
            ..self
        }
    }

    /// The check that every adapter makes before anything else in `append_batch`.
    ///
    /// # Errors
    /// [`InvalidCall`] if a request is empty or the call exceeds [`MAX_CALL_EVENTS`] or
    /// [`MAX_CALL_BYTES`].
    pub fn check_call(requests: &[Self]) -> Result<(), InvalidCall> {
        if let Some(index) = requests
            .iter()
            .position(|request| request.events.is_empty())
        {
            return Err(InvalidCall::EmptyRequest { index });
        }
        check_size(requests.iter().flat_map(|request| &request.events))
    }
}

fn check_size<'a>(events: impl Iterator<Item = &'a Event>) -> Result<(), InvalidCall> {
    let (count, bytes) = events.fold((0, 0), |(count, bytes), event| {
        (count + 1, bytes + event.payload().size())
    });
    if count > MAX_CALL_EVENTS {
        return Err(InvalidCall::TooManyEvents { found: count });
    }
    if bytes > MAX_CALL_BYTES {
        return Err(InvalidCall::TooManyBytes { found: bytes });
    }
    Ok(())
}

/// What became of one event of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It was written, and with it enqueued in the outbox.
    Appended,
    /// Its key was known, or came earlier in the same request: nothing was written for it.
    Duplicate {
        /// Whether the stored event says the same ([`Event::same_content`]).
        same_content: bool,
    },
}

/// One event of a request, as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The stored event; for a duplicate, the one that was written first.
    pub stored: RunEvent,
    /// Whether this call wrote it.
    pub disposition: Disposition,
}

impl Appended {
    /// Whether nothing was written for the event, since its key was known.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.disposition != Disposition::Appended
    }
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendOutcome {
    /// The head of the run after the request.
    pub head: u64,
    /// One entry for each event of the request, in its order.
    pub events: Vec<Appended>,
}

/// A new run: its metadata and its first events, stored in one atomic step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapRequest {
    /// The run.
    pub run: RunKey,
    /// What it is a run of.
    pub metadata: RunMetadata,
    /// Its first events; may be empty. Of a key that is repeated among them, the first use counts.
    pub events: Vec<Event>,
}

impl BootstrapRequest {
    /// The check that every adapter makes before anything else in `bootstrap_run`.
    ///
    /// # Errors
    /// [`InvalidCall`] if the events exceed [`MAX_CALL_EVENTS`] or [`MAX_CALL_BYTES`].
    pub fn check_call(&self) -> Result<(), InvalidCall> {
        check_size(self.events.iter())
    }
}

/// The answer to a bootstrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapOutcome {
    /// Whether this call made the run; `false` if it was there, made by an equal bootstrap.
    pub created: bool,
    /// When the run was made, by the store's clock.
    pub created_at: Timestamp,
    /// One entry for each first event, in order.
    pub events: Vec<Appended>,
}
