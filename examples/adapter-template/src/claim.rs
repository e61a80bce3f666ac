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
    let mut bytes = 0;
    due.into_iter()
        .take(max_runs)
        .map(|run| {
            let events = run.next_events(max_events, request.max_bytes, &mut bytes);
            run.lease(request, events, now)
        })
        .collect()
}

impl Run {
    /// The events after the cursor: the first in any case, the others as long as the bytes of the whole claim allow.
    fn next_events(&self, max_events: usize, max_bytes: u64, bytes: &mut u64) -> Vec<RunEvent> {
        self.events_after(self.cursor.delivered_seq)
            .take(max_events)
            .enumerate()
            .take_while(|(place, next)| {
                let sum = *bytes + next.event.payload().size() as u64;
                let taken = *place == 0 || sum <= max_bytes;
                if taken {
                    *bytes = sum;
                }
                taken
            })
            .map(|(_, next)| next.clone())
            .collect()
    }

    fn lease(
        &mut self,
        request: &ClaimRequest,
        events: Vec<RunEvent>,
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
            },
            attempts: cursor.attempts,
            events,
        }
    }
}
