//! A log as a list of rows, for `#[serde(with = …)]`.

use std::borrow::Cow;

use dvt_contracts::{
    Attempt, BoxError, Event, EventType, IdempotencyKey, Payload, RunEvent, StepId, Timestamp,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A [`RunEvent`] without its `run_seq`, which its place tells, and its id, which is derived.
///
/// The payload is text within the JSON, not JSON within it: so no parser can touch a byte of it.
#[derive(Serialize, Deserialize)]
struct EventRow<'a> {
    event_type: EventType,
    step_id: Option<StepId>,
    engine_attempt: Attempt,
    logical_attempt: Attempt,
    idempotency_key: IdempotencyKey,
    emitted_at: Timestamp,
    persisted_at: Timestamp,
    payload: Cow<'a, str>,
}

pub(crate) fn serialize<S: Serializer>(log: &[RunEvent], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(log.iter().map(EventRow::of))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<RunEvent>, D::Error> {
    let rows: Vec<EventRow<'de>> = Vec::deserialize(deserializer)?;
    (1..)
        .zip(rows)
        .map(|(run_seq, row)| row.stored(run_seq).map_err(D::Error::custom))
        .collect()
}

impl<'a> EventRow<'a> {
    fn of(stored: &'a RunEvent) -> Self {
        let event = &stored.event;
        Self {
            event_type: event.event_type().clone(),
            step_id: event.step_id().cloned(),
            engine_attempt: event.engine_attempt(),
            logical_attempt: event.logical_attempt(),
            idempotency_key: event.idempotency_key().clone(),
            emitted_at: event.emitted_at(),
            persisted_at: stored.persisted_at,
            payload: event.payload().as_str().into(),
        }
    }

    fn stored(self, run_seq: u64) -> Result<RunEvent, BoxError> {
        let event = Event::new(
            self.event_type,
            self.step_id,
            self.idempotency_key,
            self.emitted_at,
        )?
        .with_engine_attempt(self.engine_attempt)
        .with_logical_attempt(self.logical_attempt)
        .with_payload(Payload::new(self.payload.as_bytes())?);
        Ok(RunEvent {
            run_seq,
            persisted_at: self.persisted_at,
            event,
        })
    }
}
