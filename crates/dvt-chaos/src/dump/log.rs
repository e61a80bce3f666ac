use std::collections::HashMap;

use dvt_contracts::{Attempt, Checkpoint, Event, Payload, RunEvent, RunState, Timestamp};

use crate::BoxError;
use crate::fingerprint::Content;
use crate::history::FinalDeadLetter;

/// A row of the log.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) run_seq: i64,
    pub(super) key: String,
    pub(super) event_type: String,
    pub(super) step_id: Option<String>,
    pub(super) logical_attempt: i64,
    pub(super) engine_attempt: i64,
    pub(super) emitted_at: i64,
    pub(super) persisted_at: i64,
    pub(super) payload: String,
}

/// Checkpoints and dead letters by the names of their runs.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) checkpoints: HashMap<String, Checkpoint>,
    pub(super) dead_letters: HashMap<String, Vec<FinalDeadLetter>>,
}

impl Row {
    pub(super) fn told(&self) -> Result<(u64, String, u64, String), BoxError> {
        let content = Content {
            event_type: &self.event_type,
            step_id: self.step_id.as_deref(),
            logical_attempt: self.logical_attempt,
            engine_attempt: self.engine_attempt,
            emitted_at: self.emitted_at,
            payload: &self.payload,
        };
        Ok((
            u64::try_from(self.run_seq)?,
            self.key.clone(),
            content.fingerprint(),
            self.event_type.clone(),
        ))
    }

    fn event(&self) -> Result<RunEvent, BoxError> {
        let step = self.step_id.as_deref().map(str::parse).transpose()?;
        let emitted_at = Timestamp::from_micros(self.emitted_at)?;
        let event = Event::new(
            self.event_type.parse()?,
            step,
            self.key.parse()?,
            emitted_at,
        )?
        .with_logical_attempt(Attempt::new(u64::try_from(self.logical_attempt)?)?)
        .with_engine_attempt(Attempt::new(u64::try_from(self.engine_attempt)?)?)
        .with_payload(Payload::new(&self.payload)?);
        Ok(RunEvent {
            run_seq: u64::try_from(self.run_seq)?,
            persisted_at: Timestamp::from_micros(self.persisted_at)?,
            event,
        })
    }
}

/// Whether a checkpoint is the fold of the log up to it.
pub(super) fn holds(checkpoint: &Checkpoint, rows: &[Row]) -> Result<bool, BoxError> {
    let mut state = RunState::new();
    for row in rows {
        let event = row.event()?;
        if event.run_seq <= checkpoint.run_seq {
            state.fold(&event);
        }
    }
    Ok(Checkpoint::of(&state) == *checkpoint)
}
