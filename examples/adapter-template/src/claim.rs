use dvt_contracts::{
    ClaimRequest, ClaimedRun, Lease, LeaseToken, MAX_CLAIM, RunEvent, Timestamp,
    UNFINISHED_CLAIMS_ALONE,
};

use crate::run::Run;
use crate::state::State;

/// Leases the runs that have been due longest, and hands out their next events.
pub(crate) fn claim(state: &mut State, request: &ClaimRequest, now: Timestamp) -> Vec<ClaimedRun> {
    let max_runs = request.max_runs.min(MAX_CLAIM) as usize;
    let max_events = request.max_events_per_run.min(MAX_CLAIM) as usize;
    if max_events == 0 {
        return Vec::new();
    }
    let mut due: Vec<_> = state
        .runs
        .values_mut()
        .filter(|run| run.cursor.is_due(now))
        .collect();
    due.sort_by_key(|run| run.cursor.due_at);
    // A run that may be what crashes its relays goes alone, once it has been due longest; until then others pass it.
    let suspect = |run: &Run| run.cursor.unfinished_claims >= UNFINISHED_CLAIMS_ALONE;
    if due.first().is_some_and(|run| suspect(run)) {
        due.truncate(1);
    } else {
        due.retain(|run| !suspect(run));
    }
    // The bytes of all events offered so far. They only grow: after the first event that does not fit, none does, of no run.
    let mut bytes = 0;
    let mut fits = |next: &&RunEvent| {
        let first = bytes == 0;
        bytes += next.event.payload().size() as u64;
        first || bytes <= request.max_bytes
    };
    due.into_iter()
        .take(max_runs)
        .map_while(|run| {
            let next = run.events_after(run.cursor.delivered_seq);
            let events: Vec<_> = next
                .take(max_events)
                .take_while(&mut fits)
                .cloned()
                .collect();
            // A run of which nothing fits is not claimed.
            let last_seq = events.last()?.run_seq;
            Some(run.lease(request, events, last_seq, now))
        })
        .collect()
}

impl Run {
    fn lease(
        &mut self,
        request: &ClaimRequest,
        events: Vec<RunEvent>,
        last_seq: u64,
        now: Timestamp,
    ) -> ClaimedRun {
        let token = LeaseToken::generate();
        let expires_at = now.saturating_add(request.lease);
        let cursor = &mut self.cursor;
        cursor.claim_no = cursor.claim_no.saturating_add(1);
        cursor.unfinished_claims = cursor.unfinished_claims.saturating_add(1);
        cursor.token = Some(token.to_string());
        cursor.due_at = Some(expires_at);
        ClaimedRun {
            lease: Lease {
                run: self.key.clone(),
                claim_no: cursor.claim_no,
                token,
                expires_at,
                last_seq,
            },
            attempts: cursor.attempts,
            unfinished_claims: cursor.unfinished_claims,
            events,
        }
    }
}
