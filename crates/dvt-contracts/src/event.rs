use crate::attempt::Attempt;
use crate::event_id::EventId;
use crate::event_type::EventType;
use crate::idempotency_key::IdempotencyKey;
use crate::identifier::StepId;
use crate::payload::Payload;
use crate::run_key::RunKey;
use crate::timestamp::Timestamp;

/// What an orchestrator reports about a run. Once made, it is valid for every store.
///
/// ```
/// use dvt_contracts::{Event, EventType, Payload};
///
/// let event = Event::new(
///     EventType::StepStarted,
///     Some("load orders".parse()?),
///     "load orders/1".parse()?,
///     "2026-01-02T03:04:05Z".parse()?,
/// )?
/// .with_payload(Payload::new(r#"{"rows": 7}"#)?);
/// assert_eq!(event.logical_attempt().get(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    event_type: EventType,
    step_id: Option<StepId>,
    engine_attempt: Attempt,
    logical_attempt: Attempt,
    idempotency_key: IdempotencyKey,
    emitted_at: Timestamp,
    payload: Payload,
}

/// An event type and a step that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// A step event without a step.
    #[error("a {event_type} event needs a step id")]
    StepMissing {
        /// The event's type.
        event_type: EventType,
    },
    /// A run event with a step.
    #[error("a {event_type} event belongs to the run: remove the step id {step_id:?}")]
    StepForbidden {
        /// The event's type.
        event_type: EventType,
        /// The step given.
        step_id: StepId,
    },
}

impl Event {
    /// An event in the first attempt, with the payload `null`.
    ///
    /// # Errors
    /// [`InvalidEvent`] if a step event names no step or a run event names one.
    pub fn new(
        event_type: EventType,
        step_id: Option<StepId>,
        idempotency_key: IdempotencyKey,
        emitted_at: Timestamp,
    ) -> Result<Self, InvalidEvent> {
        match step_id {
            None if event_type.needs_step() => Err(InvalidEvent::StepMissing { event_type }),
            Some(step_id) if !event_type.allows_step() => Err(InvalidEvent::StepForbidden {
                event_type,
                step_id,
            }),
            step_id => Ok(Self {
                event_type,
                step_id,
                engine_attempt: Attempt::FIRST,
                logical_attempt: Attempt::FIRST,
                idempotency_key,
                emitted_at,
                payload: Payload::null(),
            }),
        }
    }

    /// The same event in another attempt of the provider's.
    #[must_use]
    pub fn with_engine_attempt(self, engine_attempt: Attempt) -> Self {
        Self {
            engine_attempt,
            ..self
        }
    }

    /// The same event in another attempt of the engine's.
    #[must_use]
    pub fn with_logical_attempt(self, logical_attempt: Attempt) -> Self {
        Self {
            logical_attempt,
            ..self
        }
    }

    /// The same event, emitted at another moment.
    #[must_use]
    pub fn with_emitted_at(self, emitted_at: Timestamp) -> Self {
        Self { emitted_at, ..self }
    }

    /// The same event with another payload.
    #[must_use]
    pub fn with_payload(self, payload: Payload) -> Self {
        Self { payload, ..self }
    }

    /// What happened.
    #[must_use]
    pub fn event_type(&self) -> &EventType {
        &self.event_type
    }

    /// The step that it happened to; `None` for the run itself.
    #[must_use]
    pub fn step_id(&self) -> Option<&StepId> {
        self.step_id.as_ref()
    }

    /// The provider's attempt: diagnostic only.
    #[must_use]
    pub fn engine_attempt(&self) -> Attempt {
        self.engine_attempt
    }

    /// The engine's attempt, which the rules judge by.
    #[must_use]
    pub fn logical_attempt(&self) -> Attempt {
        self.logical_attempt
    }

    /// The key that makes it one event however often it is appended.
    #[must_use]
    pub fn idempotency_key(&self) -> &IdempotencyKey {
        &self.idempotency_key
    }

    /// When it happened by the producer's clock, kept as given.
    #[must_use]
    pub fn emitted_at(&self) -> Timestamp {
        self.emitted_at
    }

    /// What the producer had to say about it.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Whether both say the same: equal event type, step, logical attempt and payload bytes.
    /// `emitted_at` and `engine_attempt` do not count, since a retry may make them anew.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.event_type == other.event_type
            && self.step_id == other.step_id
            && self.logical_attempt == other.logical_attempt
            && self.payload == other.payload
    }
}

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvent {
    /// Its place in the run's log: 1, 2, 3 … without gaps, in append order, for ever.
    pub run_seq: u64,
    /// When the store wrote it, by the store's clock; never decreasing within a run.
    pub persisted_at: Timestamp,
    /// What was appended.
    pub event: Event,
}

impl RunEvent {
    /// The identity that consumers deduplicate by. It is derived on demand; stores do not keep it.
    #[must_use]
    pub fn event_id(&self, run: &RunKey) -> EventId {
        EventId::derive(run, self.event.idempotency_key())
    }
}
