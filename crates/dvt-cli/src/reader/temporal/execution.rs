use std::collections::HashMap;

use dvt_contracts::{
    Attempt, EnvironmentId, Event, EventType, IdempotencyKey, InvalidIdentifier, Payload, PlanId,
    PlanVersion, ProjectId, ProviderRef, RunKey, RunMetadata, StepId,
};

use super::history::{History, HistoryEvent};
use super::{payload, run_id};
use crate::reader::fitting::{UNKNOWN, fitting};
use crate::reader::{Item, Ownership, Record};

/// One workflow execution, as far as its history is taken in.
#[derive(Debug)]
pub(super) struct Execution {
    line: u64,
    run: RunKey,
    metadata: RunMetadata,
    provider_ref: Option<ProviderRef>,
    /// The activities, by the events that scheduled them.
    activities: HashMap<u64, Activity>,
}

#[derive(Debug)]
struct Activity {
    step_id: StepId,
    attempt: Attempt,
}

/// An event on its way into a record.
struct Draft {
    event_type: EventType,
    step_id: Option<StepId>,
    attempt: Attempt,
    payload: Payload,
}

impl Execution {
    pub(super) fn new(
        owner: &Ownership,
        history: &History<'_>,
        line: u64,
    ) -> Result<Self, InvalidIdentifier> {
        let id = history.run_id().unwrap_or_default();
        let started = history.events.first().map(|event| &event.attributes);
        let name = |member: &str| started.and_then(|fields| fields.object(member).text("name"));
        let (queue, workflow_type) = (name("taskQueue"), name("workflowType"));
        let queue = queue.unwrap_or_default();
        let workflow_type = workflow_type.unwrap_or_default();
        let project_id = fitting(&queue, |text| ProjectId::new(text).ok());
        let plan_id = fitting(&workflow_type, |text| PlanId::new(text).ok());
        let workflow_id = started.and_then(|fields| fields.text("workflowId"));
        let provider_ref = workflow_id
            .and_then(|workflow| ProviderRef::new("temporal", None, &workflow, Some(&id)).ok());
        Ok(Self {
            line,
            run: RunKey::new(owner.tenant_id.clone(), run_id(&id)?),
            metadata: RunMetadata {
                project_id: project_id.map_or_else(|| ProjectId::new(UNKNOWN), Ok)?,
                environment_id: EnvironmentId::clone(&owner.environment_id),
                plan_id: plan_id.map_or_else(|| PlanId::new(UNKNOWN), Ok)?,
                plan_version: PlanVersion::new(UNKNOWN)?,
            },
            provider_ref,
            activities: HashMap::new(),
        })
    }

    /// Takes in the next event.
    pub(super) fn take(
        &mut self,
        event: &HistoryEvent<'_>,
        items: &mut Vec<Item>,
    ) -> Result<(), String> {
        let event_type = match event.kind.as_str() {
            "WorkflowExecutionStarted" => EventType::RunStarted,
            // The run goes on as another one, which its payload names.
            "WorkflowExecutionCompleted" | "WorkflowExecutionContinuedAsNew" => {
                EventType::RunCompleted
            }
            "WorkflowExecutionFailed" | "WorkflowExecutionTimedOut" => EventType::RunFailed,
            "WorkflowExecutionCancelRequested" => EventType::RunCancelRequested,
            // Somebody asked for both; only the first could be answered by the workflow.
            "WorkflowExecutionCanceled" | "WorkflowExecutionTerminated" => EventType::RunCancelled,
            "WorkflowExecutionPaused" => EventType::RunPaused,
            "WorkflowExecutionUnpaused" => EventType::RunResumed,
            "WorkflowTaskScheduled" | "WorkflowTaskStarted" | "WorkflowTaskCompleted" => {
                items.push(Item::Ignored(event.kind.clone()));
                return Ok(());
            }
            kind if kind.starts_with("ActivityTask") => return self.activity(event, items),
            kind => other(kind)?,
        };
        let draft = Draft {
            event_type,
            step_id: None,
            attempt: Attempt::FIRST,
            payload: payload::of(&event.attributes),
        };
        items.push(self.record(event, draft, "")?);
        Ok(())
    }

    fn activity(&mut self, event: &HistoryEvent<'_>, items: &mut Vec<Item>) -> Result<(), String> {
        if event.kind == "ActivityTaskScheduled" {
            let kind = event.attributes.object("activityType").text("name");
            let name = format!("{}#{}", kind.as_deref().unwrap_or(UNKNOWN), event.id);
            let step_id = fitting(&name, |text| StepId::new(text).ok());
            let step_id = step_id.ok_or("its activity has no name")?;
            let activity = Activity {
                step_id,
                attempt: Attempt::FIRST,
            };
            self.activities.insert(event.id, activity);
        }
        let scheduled = event.attributes.number("scheduledEventId");
        let scheduled = scheduled.unwrap_or(event.id);
        let Some(activity) = self.activities.get_mut(&scheduled) else {
            return Err(format!("no event {scheduled} has scheduled its activity"));
        };
        let before = activity.attempt;
        let event_type = match event.kind.as_str() {
            "ActivityTaskStarted" => {
                let attempt = event.attributes.number("attempt").unwrap_or(1);
                activity.attempt = Attempt::new(attempt).map_err(|error| error.to_string())?;
                EventType::StepStarted
            }
            "ActivityTaskCompleted" => EventType::StepCompleted,
            "ActivityTaskFailed" | "ActivityTaskTimedOut" => EventType::StepFailed,
            // Nobody wanted it any more.
            "ActivityTaskCanceled" => EventType::StepSkipped,
            kind => other(kind)?,
        };
        let draft = Draft {
            step_id: Some(activity.step_id.clone()),
            attempt: activity.attempt,
            payload: payload::of(&event.attributes),
            event_type,
        };
        let failed_before = activity.attempt > before;
        if failed_before && draft.event_type == EventType::StepStarted {
            items.extend(self.last_failure(event, &draft)?);
        }
        items.push(self.record(event, draft, "")?);
        Ok(())
    }

    /// The attempt before this one: of those that fail and are retried, Temporal keeps no more than the last one's failure.
    fn last_failure(
        &self,
        event: &HistoryEvent<'_>,
        started: &Draft,
    ) -> Result<Option<Item>, String> {
        let failure = event.attributes.object("lastFailure");
        let Some(payload) = payload::failed(&failure) else {
            return Ok(None);
        };
        let attempt = started.attempt.get() - 1;
        let failed = Draft {
            event_type: EventType::StepFailed,
            step_id: started.step_id.clone(),
            attempt: Attempt::new(attempt).map_err(|error| error.to_string())?,
            payload,
        };
        self.record(event, failed, "|last failure").map(Some)
    }

    /// An event's number is its key: it stays what it is while the history grows.
    fn record(&self, event: &HistoryEvent<'_>, draft: Draft, part: &str) -> Result<Item, String> {
        let key = IdempotencyKey::new(format!("temporal|{}{part}", event.id))
            .map_err(|error| error.to_string())?;
        let made = Event::new(draft.event_type, draft.step_id, key, event.time)
            .map_err(|error| error.to_string())?
            .with_logical_attempt(draft.attempt)
            .with_payload(draft.payload);
        // Only the start of an attempt tells its number, and it also gives the failure of the attempt before.
        let engine_attempt = match made.step_id() {
            Some(_) => Some(draft.attempt),
            None => event
                .attributes
                .number("attempt")
                .and_then(|attempt| Attempt::new(attempt).ok()),
        };
        let made = match engine_attempt {
            Some(attempt) => made.with_engine_attempt(attempt),
            None => made,
        };
        Ok(Item::Record(Box::new(Record {
            line: self.line,
            run: self.run.clone(),
            metadata: self.metadata.clone(),
            event: made,
            run_seq: None,
            provider_ref: self.provider_ref.clone(),
        })))
    }
}

fn other(kind: &str) -> Result<EventType, String> {
    let name = fitting(kind, |text| text.parse::<EventType>().ok());
    name.ok_or_else(|| "it has no type".to_owned())
}
