use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dvt_contracts::{
    Event, InvalidIdentifier, InvalidTimestamp, KeyParts, PlanId, RunId, RunKey, RunMetadata,
    Timestamp,
};

use super::{Item, Ownership, Reader, Record};

mod continuation;
mod invocation;
mod log_line;
mod naming;
mod nodes;
mod payload;

use self::continuation::Begun;
pub(crate) use self::continuation::Continuation;
use self::invocation::{Draft, Entry, Invocation};
use self::log_line::LogLine;

/// Reads dbt's JSON log at level debug: one run per invocation, one step per node. With a [`Continuation`] all invocations
/// are of its run.
#[derive(Debug)]
pub(crate) struct DbtReader {
    owner: Ownership,
    continuation: Option<Continuation>,
    /// Those that cannot continue the run, or are of another project.
    refused: HashSet<String>,
    invocations: HashMap<String, Invocation>,
    steps: u64,
    /// Lines that only a log at level info makes one depend on.
    results: u64,
}

/// dbt repeats all results of a run in one line near its end: about a kilobyte per node. This is room for the
/// largest projects.
const LINE_LIMIT: usize = 64 * 1024 * 1024;

impl DbtReader {
    /// A reader for the logs of one tenant and environment.
    pub(crate) fn new(owner: Ownership) -> Self {
        Self {
            owner,
            continuation: None,
            refused: HashSet::new(),
            invocations: HashMap::new(),
            steps: 0,
            results: 0,
        }
    }

    /// A reader for invocations of that run.
    pub(crate) fn continuing(owner: Ownership, continuation: Continuation) -> Self {
        Self {
            continuation: Some(continuation),
            ..Self::new(owner)
        }
    }

    fn read(&mut self, number: u64, text: &str, items: &mut Vec<Item>) -> Result<(), String> {
        let log = LogLine::parse(text)?;
        let Some(kind) = Entry::kind(&log.name) else {
            let is_result = log.name.starts_with("Log") && log.name.ends_with("Result");
            self.results += u64::from(is_result);
            items.push(Item::Ignored(log.name));
            return Ok(());
        };
        let invocation_id = log.invocation_id()?;
        if self.refused.contains(&invocation_id) {
            items.push(Item::Ignored(format!("{} (refused)", log.name)));
            return Ok(());
        }
        if self.continuation.is_none() {
            RunId::new(&invocation_id).map_err(|error| error.to_string())?;
        }
        let emitted_at: Timestamp = log
            .ts()?
            .parse()
            .map_err(|error: InvalidTimestamp| format!("info.ts: {error}"))?;
        let tells_invocation = self
            .continuation
            .as_ref()
            .is_some_and(|run| !run.is_named_by(&invocation_id));
        let entry = Entry {
            kind,
            line: number,
            emitted_at,
            log: &log,
            invocation_id: tells_invocation.then_some(&invocation_id),
        };
        let mut invocation = self.invocations.remove(&invocation_id).unwrap_or_default();
        let mut drafts = Vec::new();
        if let Some(ignored) = invocation.take(&entry, &mut drafts) {
            items.push(Item::Ignored(ignored.to_owned()));
        }
        for draft in drafts {
            self.steps += u64::from(draft.step_id.is_some());
            match self.record(&invocation_id, &invocation, draft) {
                Ok(item) => items.push(item),
                Err(reason) => {
                    if self.continuation.is_some() {
                        self.refused.insert(invocation_id);
                    }
                    return Err(reason);
                }
            }
        }
        self.invocations.insert(invocation_id, invocation);
        Ok(())
    }

    /// Completes an event with what belongs to its run.
    fn record(
        &mut self,
        invocation_id: &str,
        invocation: &Invocation,
        draft: Draft,
    ) -> Result<Item, String> {
        let place = match &mut self.continuation {
            None => Place::own(&self.owner, invocation_id, invocation)?,
            Some(continuation) => Place::continued(continuation, invocation_id, invocation)?,
        };
        let record = place.record(draft)?;
        if let Some(continuation) = &mut self.continuation {
            continuation.note(&record.event);
        }
        Ok(Item::Record(Box::new(record)))
    }
}

/// The run that an event belongs to.
struct Place {
    run: RunKey,
    metadata: RunMetadata,
    /// How the invocation continues the run, if it does.
    begun: Option<Arc<Begun>>,
}

impl Place {
    fn own(
        owner: &Ownership,
        invocation_id: &str,
        invocation: &Invocation,
    ) -> Result<Self, String> {
        let text = |error: InvalidIdentifier| error.to_string();
        let (project_id, plan_version) = invocation.names().map_err(text)?;
        let run_id = RunId::new(invocation_id).map_err(text)?;
        Ok(Self {
            run: RunKey::new(owner.tenant_id.clone(), run_id),
            metadata: RunMetadata {
                plan_id: PlanId::new(&project_id).map_err(text)?,
                project_id,
                environment_id: owner.environment_id.clone(),
                plan_version,
            },
            begun: None,
        })
    }

    fn continued(
        continuation: &mut Continuation,
        invocation_id: &str,
        invocation: &Invocation,
    ) -> Result<Self, String> {
        let expected = &continuation.metadata().project_id;
        if let Some(found) = invocation.project_id().filter(|found| *found != expected) {
            return Err(format!(
                "invocation {invocation_id} is of project {found}, and run {} of {expected}: name a run of that project, or \
                 leave --run out",
                continuation.run()
            ));
        }
        Ok(Self {
            begun: Some(continuation.begin(invocation_id)?),
            run: continuation.run().clone(),
            metadata: continuation.metadata().clone(),
        })
    }

    fn record(self, draft: Draft) -> Result<Record, String> {
        let step_id = draft.step_id.as_ref();
        let attempt = match &self.begun {
            None => draft.attempt,
            Some(begun) => begun.attempt(step_id, draft.attempt)?,
        };
        let key = KeyParts {
            run_id: &self.run.run_id,
            step_id,
            logical_attempt: attempt,
            event_type: &draft.event_type,
            plan_id: &self.metadata.plan_id,
            plan_version: &self.metadata.plan_version,
            occurrence: 1,
        }
        .derive();
        let event = Event::new(draft.event_type, draft.step_id, key, draft.emitted_at)
            .map_err(|error| error.to_string())?
            .with_logical_attempt(attempt)
            .with_payload(draft.payload);
        Ok(Record {
            line: draft.line,
            run: self.run,
            metadata: self.metadata,
            event,
            run_seq: None,
            provider_ref: None,
        })
    }
}

impl Reader for DbtReader {
    fn line_limit(&self) -> usize {
        LINE_LIMIT
    }

    fn line(&mut self, number: u64, text: &str, items: &mut Vec<Item>) {
        if let Err(reason) = self.read(number, text, items) {
            items.push(Item::Rejected {
                line: number,
                reason,
            });
        }
    }

    fn finish(&mut self, items: &mut Vec<Item>) {
        let mut held: Vec<_> = std::mem::take(&mut self.invocations)
            .into_iter()
            .filter_map(|(id, mut invocation)| Some((invocation.give_start()?, id, invocation)))
            .collect();
        held.sort_by_key(|(draft, _, _)| draft.line);
        for (draft, invocation_id, invocation) in held {
            let line = draft.line;
            let item = self.record(&invocation_id, &invocation, draft);
            items.push(item.unwrap_or_else(|reason| Item::Rejected { line, reason }));
        }
    }

    fn hint(&self) -> Option<String> {
        (self.steps == 0 && self.results > 0).then(|| {
            "the log has results but no NodeStart and NodeFinished lines, so no steps: \
             make it with --log-level debug"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests;
