use std::collections::HashMap;

use dvt_contracts::{
    EnvironmentId, Event, InvalidTimestamp, KeyParts, PlanId, RunId, RunKey, RunMetadata, TenantId,
    Timestamp,
};

use super::{Item, Reader, Record};

mod fields;
mod invocation;
mod naming;
mod nodes;
mod payload;

use self::fields::LogLine;
use self::invocation::{Draft, Entry, Invocation};

/// What dbt's log does not say.
#[derive(Debug, Clone)]
pub(crate) struct DbtOptions {
    /// Who the runs belong to.
    pub(crate) tenant_id: TenantId,
    /// Where they ran.
    pub(crate) environment_id: EnvironmentId,
}

/// Reads dbt's JSON log at level debug: one run per invocation, one step per node.
#[derive(Debug)]
pub(crate) struct DbtReader {
    options: DbtOptions,
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
    pub(crate) fn new(options: DbtOptions) -> Self {
        Self {
            options,
            invocations: HashMap::new(),
            steps: 0,
            results: 0,
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
        let run_id = RunId::new(log.invocation_id()?).map_err(|error| error.to_string())?;
        let emitted_at: Timestamp = log
            .ts()?
            .parse()
            .map_err(|error: InvalidTimestamp| format!("info.ts: {error}"))?;
        let entry = Entry {
            kind,
            line: number,
            emitted_at,
            log: &log,
        };
        let invocation = self
            .invocations
            .entry(run_id.as_str().to_owned())
            .or_default();
        let mut drafts = Vec::new();
        if let Some(ignored) = invocation.take(&entry, &mut drafts) {
            items.push(Item::Ignored(ignored.to_owned()));
        }
        for draft in drafts {
            self.steps += u64::from(draft.step_id.is_some());
            items.push(record(&self.options, &run_id, invocation, draft)?);
        }
        Ok(())
    }
}

/// Completes an event with what belongs to its run.
fn record(
    options: &DbtOptions,
    run_id: &RunId,
    invocation: &Invocation,
    draft: Draft,
) -> Result<Item, String> {
    let (project_id, plan_version) = invocation.names().map_err(|error| error.to_string())?;
    let metadata = RunMetadata {
        plan_id: PlanId::new(&project_id).map_err(|error| error.to_string())?,
        project_id,
        environment_id: options.environment_id.clone(),
        plan_version,
    };
    let key = KeyParts {
        run_id,
        step_id: draft.step_id.as_ref(),
        logical_attempt: draft.attempt,
        event_type: &draft.event_type,
        plan_id: &metadata.plan_id,
        plan_version: &metadata.plan_version,
        occurrence: 1,
    }
    .derive();
    let event = Event::new(draft.event_type, draft.step_id, key, draft.emitted_at)
        .map_err(|error| error.to_string())?
        .with_logical_attempt(draft.attempt)
        .with_payload(draft.payload);
    Ok(Item::Record(Box::new(Record {
        line: draft.line,
        run: RunKey::new(options.tenant_id.clone(), run_id.clone()),
        metadata,
        event,
        run_seq: None,
        provider_ref: None,
    })))
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
        let mut held: Vec<_> = self
            .invocations
            .iter_mut()
            .filter_map(|(run_id, invocation)| Some((invocation.give_start()?, run_id, invocation)))
            .collect();
        held.sort_by_key(|(draft, _, _)| draft.line);
        for (draft, run_id, invocation) in held {
            let line = draft.line;
            let item = RunId::new(run_id)
                .map_err(|error| error.to_string())
                .and_then(|run_id| record(&self.options, &run_id, invocation, draft));
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
