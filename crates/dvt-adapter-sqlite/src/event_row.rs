use dvt_contracts::{Attempt, Event, Payload, RunEvent};

use crate::fault::Fault;
use crate::value::{count, moment, text};

/// A row of `run_events`.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) run_seq: i64,
    pub(crate) event_type: String,
    pub(crate) step_id: Option<String>,
    pub(crate) logical_attempt: i64,
    pub(crate) engine_attempt: i64,
    pub(crate) idempotency_key: String,
    pub(crate) emitted_at: i64,
    pub(crate) persisted_at: i64,
    pub(crate) payload: String,
}

impl EventRow {
    /// The event.
    pub(crate) fn decode(self) -> Result<RunEvent, Fault> {
        let run_seq = self.run_seq;
        let what = format!("event {run_seq} with key {:?}", self.idempotency_key);
        self.read().map_err(|error| Fault::corrupt(&what, error))
    }

    fn read(self) -> Result<RunEvent, Fault> {
        let step_id = self.step_id.map(|step| text("step", &step)).transpose()?;
        let key = text("idempotency key", &self.idempotency_key)?;
        let event_type = text("event type", &self.event_type)?;
        let event = Event::new(event_type, step_id, key, moment(self.emitted_at)?);
        let payload = Payload::new(self.payload);
        Ok(RunEvent {
            run_seq: count(self.run_seq)?,
            persisted_at: moment(self.persisted_at)?,
            event: event
                .map_err(|error| Fault::corrupt("event", error))?
                .with_logical_attempt(attempt(self.logical_attempt)?)
                .with_engine_attempt(attempt(self.engine_attempt)?)
                .with_payload(payload.map_err(|error| Fault::corrupt("payload", error))?),
        })
    }
}

fn attempt(number: i64) -> Result<Attempt, Fault> {
    Attempt::new(count(number)?).map_err(|error| Fault::corrupt("attempt", error))
}
