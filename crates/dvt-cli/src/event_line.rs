use std::io::{self, Write};

use dvt_contracts::{RunEvent, RunKey};
use serde::Serialize;

/// An event as it is delivered. The names are part of the command's interface.
#[derive(Debug, Serialize)]
struct EventLine<'a> {
    event_id: String,
    tenant_id: &'a str,
    run_id: &'a str,
    run_seq: u64,
    event_type: &'a str,
    step_id: Option<&'a str>,
    logical_attempt: u32,
    engine_attempt: u32,
    idempotency_key: &'a str,
    emitted_at: String,
    persisted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_no: Option<u64>,
}

/// Writes one event as one line of JSON, with the number of its claim if it was claimed.
///
/// The payload is embedded as it is, byte for byte, unless it holds a line break, which would end the line: then it is
/// written as a text.
pub(crate) fn write<W: Write>(
    out: &mut W,
    run: &RunKey,
    claim_no: Option<u64>,
    stored: &RunEvent,
) -> io::Result<()> {
    let event = &stored.event;
    let line = serde_json::to_string(&EventLine {
        event_id: stored.event_id(run).to_string(),
        tenant_id: run.tenant_id.as_str(),
        run_id: run.run_id.as_str(),
        run_seq: stored.run_seq,
        event_type: event.event_type().as_str(),
        step_id: event.step_id().map(|step| step.as_str()),
        logical_attempt: event.logical_attempt().get(),
        engine_attempt: event.engine_attempt().get(),
        idempotency_key: event.idempotency_key().as_str(),
        emitted_at: event.emitted_at().to_string(),
        persisted_at: stored.persisted_at.to_string(),
        claim_no,
    })?;
    let payload = event.payload().as_str();
    let members = line.strip_suffix('}').unwrap_or(&line);
    if payload.contains(['\n', '\r']) {
        writeln!(
            out,
            "{members},\"payload_text\":{}}}",
            serde_json::to_string(payload)?
        )
    } else {
        writeln!(out, "{members},\"payload\":{payload}}}")
    }
}
