use std::collections::HashMap;
use std::sync::Arc;

use dvt_contracts::{
    Attempt, Event, EventType, RunEvent, RunKey, RunMetadata, RunStatus, StepId, status_after,
};
use serde::Deserialize;

/// The run that invocations of dbt continue: what its log says about those before.
///
/// An invocation that is in the log already gets the attempts that it has there, so that recording it again gives the same
/// events. A new one gets the next attempt of the run, and each of its steps the next attempt of that step.
#[derive(Debug)]
pub(crate) struct Continuation {
    run: RunKey,
    metadata: RunMetadata,
    status: RunStatus,
    run_attempt: Option<Attempt>,
    steps: HashMap<StepId, Attempt>,
    invocations: HashMap<String, Arc<Begun>>,
}

/// How an invocation began: with which attempt of the run, and after which of the steps.
#[derive(Debug)]
pub(super) struct Begun {
    run_attempt: Attempt,
    steps: HashMap<StepId, Attempt>,
}

/// The member of a start's payload that says which invocation it is of.
#[derive(Debug, Deserialize)]
struct StartPayload {
    invocation_id: Option<String>,
}

impl Continuation {
    /// Of a run without events. The first invocation of a run that was recorded from its log has the run's own id.
    pub(crate) fn new(run: RunKey, metadata: RunMetadata) -> Self {
        let first = Begun {
            run_attempt: Attempt::FIRST,
            steps: HashMap::new(),
        };
        let own = run.run_id.as_str().to_owned();
        Self {
            run,
            metadata,
            status: RunStatus::Pending,
            run_attempt: None,
            steps: HashMap::new(),
            invocations: HashMap::from([(own, Arc::new(first))]),
        }
    }

    /// Takes in the next event of the run's log.
    pub(crate) fn fold(&mut self, stored: &RunEvent) {
        let event = &stored.event;
        if *event.event_type() == EventType::RunStarted
            && let Ok(payload) = serde_json::from_str::<StartPayload>(event.payload().as_str())
            && let Some(id) = payload.invocation_id
        {
            let begun = self.begun(event.logical_attempt());
            self.invocations.insert(id, Arc::new(begun));
        }
        self.note(event);
    }

    pub(super) fn run(&self) -> &RunKey {
        &self.run
    }

    pub(super) fn metadata(&self) -> &RunMetadata {
        &self.metadata
    }

    /// Whether the invocation's starts must say which one it is: its id is not that of the run.
    pub(super) fn is_named_by(&self, invocation_id: &str) -> bool {
        self.run.run_id.as_str() == invocation_id
    }

    /// How the invocation began, or begins now. The error says why it cannot.
    pub(super) fn begin(&mut self, invocation_id: &str) -> Result<Arc<Begun>, String> {
        if let Some(begun) = self.invocations.get(invocation_id) {
            return Ok(Arc::clone(begun));
        }
        if !matches!(self.status, RunStatus::Pending | RunStatus::Failed) {
            return Err(format!(
                "run {} is {}, and only a run that failed can be continued: record invocation {invocation_id} without \
                 --run, as a run of its own",
                self.run, self.status
            ));
        }
        let next = self.run_attempt.map_or(Ok(Attempt::FIRST), after);
        let begun = Arc::new(self.begun(next?));
        self.invocations
            .insert(invocation_id.to_owned(), Arc::clone(&begun));
        Ok(begun)
    }

    fn begun(&self, run_attempt: Attempt) -> Begun {
        Begun {
            run_attempt,
            steps: self.steps.clone(),
        }
    }

    /// Takes in an event that is in the log, or soon will be.
    pub(super) fn note(&mut self, event: &Event) {
        self.status = status_after(self.status, event.event_type());
        let attempt = event.logical_attempt();
        match event.step_id() {
            Some(step_id) => {
                let last = self.steps.entry(step_id.clone()).or_insert(attempt);
                *last = attempt.max(*last);
            }
            None => self.run_attempt = self.run_attempt.max(Some(attempt)),
        }
    }
}

impl Begun {
    /// The run's or a step's attempt, for the n-th within the invocation.
    pub(super) fn attempt(
        &self,
        step_id: Option<&StepId>,
        within: Attempt,
    ) -> Result<Attempt, String> {
        let Some(step_id) = step_id else {
            return Ok(self.run_attempt);
        };
        let before = self.steps.get(step_id).map_or(0, |last| last.get());
        attempt(u64::from(before) + u64::from(within.get()))
    }
}

fn after(last: Attempt) -> Result<Attempt, String> {
    attempt(u64::from(last.get()) + 1)
}

fn attempt(number: u64) -> Result<Attempt, String> {
    Attempt::new(number).map_err(|error| error.to_string())
}
