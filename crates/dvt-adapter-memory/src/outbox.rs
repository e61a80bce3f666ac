use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterQuery, Destination,
    FailOutcome, InvalidCall, Lease, LeaseError, MAX_PAGE, OperatorNote, OutboxError, OutboxStats,
    OutboxStorage, PendingQuery, PendingRun, ResolutionKind, Retarget, RetryPolicy, RunKey,
    SafeText,
};

use crate::state::after;
use crate::store::MemoryStore;

mod operate;
mod stats;
mod work;

#[async_trait]
impl OutboxStorage for MemoryStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        InvalidCall::check_lease(request.lease)?;
        let (mut state, now) = self.lock();
        Ok(state.claim(request, now))
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        InvalidCall::check_leases(leases.len())?;
        InvalidCall::check_lease(by)?;
        let (mut state, now) = self.lock();
        Ok(leases
            .iter()
            .map(|lease| state.extend(lease, by, now))
            .collect())
    }

    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(acknowledgements.len())?;
        let (mut state, now) = self.lock();
        Ok(acknowledgements
            .iter()
            .map(|done| state.acknowledge(done, now))
            .collect())
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let (mut state, now) = self.lock();
        Ok(state.fail(lease, seq, error, policy, now)?)
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(leases.len())?;
        let (mut state, now) = self.lock();
        Ok(leases
            .iter()
            .map(|lease| state.release(lease, now))
            .collect())
    }

    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        let (state, now) = self.lock();
        Ok(state
            .runs
            .range((after(query.after.as_ref()), Bound::Unbounded))
            .filter(|(key, _)| {
                query
                    .tenant_id
                    .as_ref()
                    .is_none_or(|id| *id == key.tenant_id)
            })
            .filter(|(key, _)| query.run.as_ref().is_none_or(|run| run == *key))
            .filter_map(|(key, run)| run.pending(key, now))
            .take(query.limit.min(MAX_PAGE) as usize)
            .collect())
    }

    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let (state, _) = self.lock();
        let (from, passed) = match &query.after {
            Some((run, number)) => (Bound::Included(run), *number),
            None => (Bound::Unbounded, 0),
        };
        let later = |letter: &&DeadLetter| {
            letter.dead_letter_no > passed
                || query
                    .after
                    .as_ref()
                    .is_none_or(|(run, _)| letter.run != *run)
        };
        Ok(state
            .runs
            .range((from, Bound::Unbounded))
            .flat_map(|(_, run)| &run.dead_letters)
            .filter(later)
            .filter(|letter| {
                query
                    .tenant_id
                    .as_ref()
                    .is_none_or(|id| *id == letter.run.tenant_id)
            })
            .filter(|letter| !query.open_only || letter.is_open())
            .take(query.limit.min(MAX_PAGE) as usize)
            .cloned()
            .collect())
    }

    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let (mut state, now) = self.lock();
        state.resolve(run, dead_letter_no, ResolutionKind::Retried, note, now)
    }

    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let (mut state, now) = self.lock();
        state.resolve(run, dead_letter_no, ResolutionKind::Skipped, note, now)
    }

    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        let (mut state, now) = self.lock();
        state.park(run, note, now)
    }

    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        let (mut state, _) = self.lock();
        let bound = state.destination.get_or_insert_with(|| destination.clone());
        if bound == destination {
            return Ok(());
        }
        Err(OutboxError::DestinationMismatch {
            bound: bound.clone(),
            requested: destination.clone(),
        })
    }

    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        let (mut state, now) = self.lock();
        match state.destination.clone() {
            None => Err(OutboxError::NoDestination {
                requested: from.clone(),
            }),
            Some(bound) if bound == *to => Ok(()),
            Some(bound) if bound == *from => {
                state.destination = Some(to.clone());
                state.last_retarget = Some(Retarget {
                    from: bound,
                    to: to.clone(),
                    note: note.clone(),
                    at: now,
                });
                Ok(())
            }
            Some(bound) => Err(OutboxError::DestinationMismatch {
                bound,
                requested: from.clone(),
            }),
        }
    }

    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        let (state, now) = self.lock();
        Ok(state.stats(now))
    }
}
