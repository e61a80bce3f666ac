//! The events that are stored: the same for all contestants.

use dvt_contracts::{Event, EventType, Payload, RunKey, RunMetadata, StepId, Timestamp};

use crate::BoxError;

/// About what a step's end carries.
pub(crate) const PAYLOAD: &str = r#"{"status":"success","execution_time":1.2345,"rows_affected":12345,"thread":"Thread-1 (worker)","message":"OK created sql table model"}"#;

/// The run of that name.
pub(crate) fn run(name: &str) -> Result<RunKey, BoxError> {
    Ok(RunKey::new("bench".parse()?, name.parse()?))
}

/// What all runs are runs of.
pub(crate) fn metadata() -> Result<RunMetadata, BoxError> {
    Ok(RunMetadata {
        project_id: "bench".parse()?,
        environment_id: "bench".parse()?,
        plan_id: "nightly".parse()?,
        plan_version: "1".parse()?,
    })
}

/// Makes events, each unlike all others.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    event_type: EventType,
    payload: Payload,
    steps: Vec<StepId>,
}

impl Events {
    pub(crate) fn new() -> Result<Self, BoxError> {
        let steps = (0..100).map(|number| format!("model.shop.step_{number}").parse());
        Ok(Self {
            event_type: "StepReported".parse()?,
            payload: Payload::new(PAYLOAD)?,
            steps: steps.collect::<Result<_, _>>()?,
        })
    }

    /// The event of that number within its run. Its key is as long as a derived one.
    pub(crate) fn event(&self, number: u64) -> Result<Event, BoxError> {
        let step = self.steps.get(number as usize % self.steps.len()).cloned();
        let key = format!("{number:064}").parse()?;
        let event = Event::new(self.event_type.clone(), step, key, Timestamp::now())?;
        Ok(event.with_payload(self.payload.clone()))
    }
}
