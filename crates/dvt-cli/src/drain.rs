use std::io::{self, Write};
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, Destination, Lease, LeaseError, OutboxError,
    RunEvent, RunKey, Store,
};
use serde::Serialize;

use crate::failure::Failure;

/// What the outbox calls this command as a receiver.
const DESTINATION: &str = "stdout:";

/// How much is claimed at once: enough to make the store's round trips cheap, little enough to hold.
const CLAIM: ClaimRequest = ClaimRequest {
    max_runs: 64,
    max_events_per_run: 1_000,
    max_bytes: 16 * 1024 * 1024,
    lease: Duration::from_secs(60),
};

/// Delivers all that is due, as one JSON object per line.
pub(crate) async fn to_ndjson<W: Write + Send>(
    store: &dyn Store,
    out: &mut W,
) -> Result<(), Failure> {
    deliver(store, out, |out, run, claim_no, event| {
        write_line(out, run, claim_no, event)
    })
    .await
}

/// Delivers all that is due, each event as `write` writes it, in order per run.
///
/// Events are acknowledged only after everything claimed with them is written and flushed. If the output fails,
/// nothing of that claim is acknowledged and it is due again at once.
pub(crate) async fn deliver<W: Write + Send>(
    store: &dyn Store,
    out: &mut W,
    mut write: impl FnMut(&mut W, &RunKey, u64, &RunEvent) -> io::Result<()> + Send,
) -> Result<(), Failure> {
    let destination =
        Destination::new(DESTINATION).map_err(|error| Failure::Usage(error.to_string()))?;
    store.bind_destination(&destination).await?;
    loop {
        let claimed = store.claim(&CLAIM).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let mut write_all = || -> io::Result<()> {
            for run in &claimed {
                for event in &run.events {
                    write(out, &run.lease.run, run.lease.claim_no, event)?;
                }
            }
            out.flush()
        };
        if let Err(error) = write_all() {
            let leases: Vec<Lease> = claimed.into_iter().map(|run| run.lease).collect();
            // A courtesy to the next drain, which would otherwise wait for the leases to expire.
            let _ = store.release(&leases).await;
            return Err(error.into());
        }
        acknowledge(store, claimed).await?;
    }
}

async fn acknowledge(store: &dyn Store, claimed: Vec<ClaimedRun>) -> Result<(), OutboxError> {
    let acknowledgements: Vec<_> = claimed
        .into_iter()
        .filter_map(|run| {
            let through = run.events.last()?.run_seq;
            Some(Acknowledgement {
                lease: run.lease,
                through,
            })
        })
        .collect();
    let replies = store.mark_delivered(&acknowledgements).await?;
    for (acknowledgement, reply) in acknowledgements.iter().zip(replies) {
        match reply {
            // Somebody else has delivered it meanwhile, or our own first try went through: it is delivered.
            Err(LeaseError::StaleLease { delivered_seq, .. })
                if delivered_seq >= acknowledgement.through => {}
            // The lease was stolen, so its new owner delivers again: at least once.
            Err(LeaseError::StaleLease { .. }) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// An event as it is delivered. The names are part of the command's interface.
#[derive(Debug, Serialize)]
struct DeliveredLine<'a> {
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
    claim_no: u64,
}

/// Writes one event. The payload is embedded as it is, byte for byte, unless it holds a line break, which would end the
/// line: then it is written as a text.
fn write_line<W: Write>(
    out: &mut W,
    run: &RunKey,
    claim_no: u64,
    stored: &RunEvent,
) -> io::Result<()> {
    let event = &stored.event;
    let line = serde_json::to_string(&DeliveredLine {
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

#[cfg(test)]
mod tests;
