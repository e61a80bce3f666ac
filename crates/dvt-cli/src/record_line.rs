//! Lines as `dvt record` reads them, without anything that a store makes itself.

use std::io::{self, Write};

use dvt_contracts::{ProviderRef, RunEvent, RunRecord};
use serde::Serialize;

/// What a line says of its run.
#[derive(Debug, Serialize)]
struct RunLine<'a> {
    tenant_id: &'a str,
    project_id: &'a str,
    environment_id: &'a str,
    run_id: &'a str,
    plan_id: &'a str,
    plan_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_ref: Option<ProviderRefLine<'a>>,
}

#[derive(Debug, Serialize)]
struct ProviderRefLine<'a> {
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    workflow_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
}

/// An event's line, but for its payload.
#[derive(Debug, Serialize)]
struct EventLine<'a> {
    #[serde(flatten)]
    run: RunLine<'a>,
    run_seq: u64,
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_id: Option<&'a str>,
    logical_attempt: u32,
    engine_attempt: u32,
    idempotency_key: &'a str,
    emitted_at: String,
}

impl<'a> RunLine<'a> {
    fn new(record: &'a RunRecord, provider_ref: Option<&'a ProviderRef>) -> Self {
        let metadata = &record.metadata;
        Self {
            tenant_id: record.run.tenant_id.as_str(),
            project_id: metadata.project_id.as_str(),
            environment_id: metadata.environment_id.as_str(),
            run_id: record.run.run_id.as_str(),
            plan_id: metadata.plan_id.as_str(),
            plan_version: metadata.plan_version.as_str(),
            provider_ref: provider_ref.map(|provider_ref| ProviderRefLine {
                provider: provider_ref.provider(),
                namespace: provider_ref.namespace(),
                workflow_id: provider_ref.workflow_id(),
                run_id: provider_ref.run_id(),
            }),
        }
    }
}

/// Writes the line of a run without events.
pub(crate) fn write_run(out: &mut impl Write, record: &RunRecord) -> io::Result<()> {
    let line = RunLine::new(record, record.provider_ref.as_ref());
    writeln!(out, "{}", serde_json::to_string(&line)?)
}

/// Writes an event's line. The first of a run tells where its provider knows it.
///
/// The payload is embedded as it is, byte for byte, unless it holds a line break, which would end the line: then it is
/// written as a text.
pub(crate) fn write_event(
    out: &mut impl Write,
    record: &RunRecord,
    stored: &RunEvent,
) -> io::Result<()> {
    let event = &stored.event;
    let provider_ref = record.provider_ref.as_ref();
    let line = serde_json::to_string(&EventLine {
        run: RunLine::new(record, provider_ref.filter(|_| stored.run_seq == 1)),
        run_seq: stored.run_seq,
        event_type: event.event_type().as_str(),
        step_id: event.step_id().map(|step| step.as_str()),
        logical_attempt: event.logical_attempt().get(),
        engine_attempt: event.engine_attempt().get(),
        idempotency_key: event.idempotency_key().as_str(),
        emitted_at: event.emitted_at().to_string(),
    })?;
    let members = line.strip_suffix('}').unwrap_or(&line);
    let payload = event.payload().as_str();
    if payload.contains(['\n', '\r']) {
        let text = serde_json::to_string(payload)?;
        writeln!(out, "{members},\"payload_text\":{text}}}")
    } else {
        writeln!(out, "{members},\"payload\":{payload}}}")
    }
}
