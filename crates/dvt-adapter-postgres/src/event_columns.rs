use dvt_contracts::{Attempt, Event, EventType, IdempotencyKey, Payload, RunEvent, StepId};

use crate::fault::Fault;
use crate::moment::Moment;
use crate::parsed::{Parsed, ParsedPayload};

/// Events as the columns of one statement.
#[derive(Debug, Default)]
pub(crate) struct EventColumns<'a> {
    pub(crate) event_types: Vec<&'a str>,
    pub(crate) step_ids: Vec<Option<&'a str>>,
    pub(crate) logical_attempts: Vec<i64>,
    pub(crate) engine_attempts: Vec<i64>,
    pub(crate) idempotency_keys: Vec<&'a str>,
    pub(crate) emitted_at: Vec<Moment>,
    pub(crate) payloads: Vec<&'a str>,
}

impl<'a> EventColumns<'a> {
    pub(crate) fn push(&mut self, event: &'a Event) {
        self.event_types.push(event.event_type().as_str());
        self.step_ids.push(event.step_id().map(AsRef::as_ref));
        self.logical_attempts
            .push(i64::from(event.logical_attempt().get()));
        self.engine_attempts
            .push(i64::from(event.engine_attempt().get()));
        self.idempotency_keys.push(event.idempotency_key().as_str());
        self.emitted_at.push(Moment(event.emitted_at()));
        self.payloads.push(event.payload().as_str());
    }
}

impl<'a> FromIterator<&'a Event> for EventColumns<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Event>>(events: I) -> Self {
        let mut columns = Self::default();
        events.into_iter().for_each(|event| columns.push(event));
        columns
    }
}

/// The columns of a stored event, of which all or none are there.
#[derive(Debug)]
pub(crate) struct StoredEvent {
    pub(crate) run_seq: Option<i64>,
    pub(crate) event_type: Option<String>,
    pub(crate) step_id: Option<String>,
    pub(crate) logical_attempt: Option<i64>,
    pub(crate) engine_attempt: Option<i64>,
    pub(crate) emitted_at: Option<Moment>,
    pub(crate) persisted_at: Option<Moment>,
    pub(crate) payload: Option<String>,
}

impl StoredEvent {
    /// The event under this key, if the columns hold one.
    pub(crate) fn decode(self, key: IdempotencyKey) -> Result<Option<RunEvent>, Fault> {
        let Some(run_seq) = self.run_seq else {
            return Ok(None);
        };
        let corrupt = |error: &dyn std::fmt::Display| {
            Fault::corrupt(
                &format!("event {run_seq} with key {:?}", key.as_str()),
                error,
            )
        };
        let (
            Some(event_type),
            Some(logical_attempt),
            Some(engine_attempt),
            Some(emitted_at),
            Some(persisted_at),
            Some(payload),
        ) = (
            self.event_type,
            self.logical_attempt,
            self.engine_attempt,
            self.emitted_at,
            self.persisted_at,
            self.payload,
        )
        else {
            return Err(corrupt(&"a column is NULL"));
        };
        let event_type = event_type.parse().map_err(|error| corrupt(&error))?;
        let step_id = self
            .step_id
            .map(|text| text.parse().map_err(|error| corrupt(&error)))
            .transpose()?;
        let event = Event::new(event_type, step_id, key.clone(), emitted_at.0)
            .map_err(|error| corrupt(&error))?
            .with_logical_attempt(attempt(logical_attempt)?)
            .with_engine_attempt(attempt(engine_attempt)?)
            .with_payload(Payload::new(payload).map_err(|error| corrupt(&error))?);
        Ok(Some(RunEvent {
            run_seq: count(run_seq)?,
            persisted_at: persisted_at.0,
            event,
        }))
    }
}

/// Stored events as columns side by side.
#[derive(Debug)]
pub(crate) struct StoredEvents {
    pub(crate) run_seqs: Vec<i64>,
    pub(crate) event_types: Vec<Parsed<EventType>>,
    pub(crate) step_ids: Vec<Option<Parsed<StepId>>>,
    pub(crate) logical_attempts: Vec<i64>,
    pub(crate) engine_attempts: Vec<i64>,
    pub(crate) idempotency_keys: Vec<Parsed<IdempotencyKey>>,
    pub(crate) emitted_at: Vec<Moment>,
    pub(crate) persisted_at: Vec<Moment>,
    pub(crate) payloads: Vec<ParsedPayload>,
}

/// The [`StoredEvents`] of a row that has these columns, whatever else it has.
macro_rules! stored_events {
    ($row:ident) => {
        $crate::event_columns::StoredEvents {
            run_seqs: $row.run_seqs,
            event_types: $row.event_types,
            step_ids: $row.step_ids,
            logical_attempts: $row.logical_attempts,
            engine_attempts: $row.engine_attempts,
            idempotency_keys: $row.idempotency_keys,
            emitted_at: $row.emitted_at,
            persisted_at: $row.persisted_at,
            payloads: $row.payloads,
        }
    };
}
pub(crate) use stored_events;

impl StoredEvents {
    /// The events in the order of their log, which the columns need not keep.
    pub(crate) fn decode(self) -> Result<Vec<RunEvent>, Fault> {
        let what_happened = self.event_types.into_iter().zip(self.step_ids);
        let attempts = self.logical_attempts.into_iter().zip(self.engine_attempts);
        let moments = self.emitted_at.into_iter().zip(self.persisted_at);
        let said = self.idempotency_keys.into_iter().zip(self.payloads);
        let rows = self.run_seqs.into_iter().zip(what_happened);
        let rows = rows.zip(attempts).zip(moments).zip(said);
        let events = rows.map(|((((run_seq, what), attempts), moments), said)| {
            let corrupt =
                |error: &dyn std::fmt::Display| Fault::corrupt(&format!("event {run_seq}"), error);
            let event_type = what.0.0.map_err(|error| corrupt(&error))?;
            let step_id = what.1.map(|step| step.0).transpose();
            let step_id = step_id.map_err(|error| corrupt(&error))?;
            let key = said.0.0.map_err(|error| corrupt(&error))?;
            let payload = said.1.0.map_err(|error| corrupt(&error))?;
            let event = Event::new(event_type, step_id, key, moments.0.0)
                .map_err(|error| corrupt(&error))?
                .with_logical_attempt(attempt(attempts.0)?)
                .with_engine_attempt(attempt(attempts.1)?)
                .with_payload(payload);
            Ok(RunEvent {
                run_seq: count(run_seq)?,
                persisted_at: moments.1.0,
                event,
            })
        });
        let mut events = events.collect::<Result<Vec<_>, Fault>>()?;
        events.sort_unstable_by_key(|event| event.run_seq);
        Ok(events)
    }
}

/// What a stored event has of its own, if it says the same as one at hand.
#[derive(Debug)]
pub(crate) struct SameContent {
    run_seq: i64,
    engine_attempt: i64,
    emitted_at: Moment,
    persisted_at: Moment,
}

impl SameContent {
    /// Each with its place.
    pub(crate) fn of_columns(
        places: Vec<i64>,
        run_seqs: Vec<i64>,
        engine_attempts: Vec<i64>,
        emitted_at: Vec<Moment>,
        persisted_at: Vec<Moment>,
    ) -> Vec<(i64, Self)> {
        let numbers = places.into_iter().zip(run_seqs).zip(engine_attempts);
        let moments = emitted_at.into_iter().zip(persisted_at);
        let rows = numbers.zip(moments).map(|(numbers, moments)| {
            let ((place, run_seq), engine_attempt) = numbers;
            let (emitted_at, persisted_at) = moments;
            let same = Self {
                run_seq,
                engine_attempt,
                emitted_at,
                persisted_at,
            };
            (place, same)
        });
        rows.collect()
    }

    /// The stored event; what it says is taken from the one at hand.
    pub(crate) fn decode(self, event: &Event) -> Result<RunEvent, Fault> {
        let event = event
            .clone()
            .with_emitted_at(self.emitted_at.0)
            .with_engine_attempt(attempt(self.engine_attempt)?);
        Ok(RunEvent {
            run_seq: count(self.run_seq)?,
            persisted_at: self.persisted_at.0,
            event,
        })
    }
}

fn attempt(number: i64) -> Result<Attempt, Fault> {
    Attempt::new(count(number)?).map_err(|error| Fault::corrupt("attempt", error))
}

/// A number that counts.
pub(crate) fn count(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|error| Fault::corrupt("count", error))
}

/// A number that counts, in 32 bits.
pub(crate) fn count32(number: i64) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|error| Fault::corrupt("count", error))
}

/// A number for a `bigint` column. What lies beyond is greater than anything stored, and stays so.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number for a `bigint` column that no stored number equals if it lies beyond.
pub(crate) fn bigint_or_none(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// A text that was validated when it was stored.
pub(crate) fn text<T: std::str::FromStr<Err: std::fmt::Display>>(
    what: &str,
    text: &str,
) -> Result<T, Fault> {
    text.parse().map_err(|error| Fault::corrupt(what, error))
}
