use dvt_contracts::{PendingRun, PendingState};
use serde::Serialize;

/// A run with undelivered events as `--json` tells it. The names are part of the command's interface.
#[derive(Debug, Serialize)]
pub(super) struct PendingObject<'a> {
    tenant_id: &'a str,
    run_id: &'a str,
    state: &'static str,
    /// The end of the lease or the back-off.
    until: Option<String>,
    parked_since: Option<String>,
    dead_letter_no: Option<u64>,
    delivered_seq: u64,
    head: u64,
    pending_since: String,
    attempts: u32,
    last_error: Option<&'a str>,
    claim_no: u64,
    unfinished_claims: u32,
}

impl<'a> From<&'a PendingRun> for PendingObject<'a> {
    fn from(run: &'a PendingRun) -> Self {
        let (until, parked) = match run.state {
            PendingState::Due => (None, None),
            PendingState::Leased { until } | PendingState::BackingOff { until } => {
                (Some(until), None)
            }
            PendingState::Parked {
                since,
                dead_letter_no,
            } => (None, Some((since, dead_letter_no))),
        };
        Self {
            tenant_id: run.run.tenant_id.as_str(),
            run_id: run.run.run_id.as_str(),
            state: state(run.state),
            until: until.map(|until| until.to_string()),
            parked_since: parked.map(|(since, _)| since.to_string()),
            dead_letter_no: parked.map(|(_, number)| number),
            delivered_seq: run.delivered_seq,
            head: run.last_seq,
            pending_since: run.pending_since.to_string(),
            attempts: run.attempts,
            last_error: run.last_error.as_ref().map(|error| error.as_str()),
            claim_no: run.claim_no,
            unfinished_claims: run.unfinished_claims,
        }
    }
}

/// The name of what a run waits for: that of `dvt_outbox_runs`.
pub(super) fn state(state: PendingState) -> &'static str {
    match state {
        PendingState::Due => "due",
        PendingState::Leased { .. } => "leased",
        PendingState::BackingOff { .. } => "backing_off",
        PendingState::Parked { .. } => "parked",
    }
}
