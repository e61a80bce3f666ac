use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterQuery, Destination,
    FailOutcome, InvalidCall, Lease, LeaseError, OperatorNote, OutboxError, OutboxStats,
    OutboxStorage, PendingQuery, PendingRun, PendingState, ResolutionKind, Retarget, RetryPolicy,
    RunKey, SafeText,
};

use crate::claim::claim;
use crate::file_store::FileStore;
use crate::row::RetargetRow;
use crate::run::Run;
use crate::run_state_store::page;

#[async_trait]
impl OutboxStorage for FileStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        InvalidCall::check_lease(request.lease)?;
        self.change("claim", |state, now| Ok(claim(state, request, now)))
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        InvalidCall::check_lease(by)?;
        InvalidCall::check_leases(leases.len())?;
        self.change("extend", |state, now| {
            let one = |lease: &Lease| {
                let expires_at = state.leased(lease)?.extend(by, now)?;
                Ok(Lease {
                    expires_at,
                    ..lease.clone()
                })
            };
            Ok(leases.iter().map(one).collect())
        })
    }

    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(acknowledgements.len())?;
        self.change("mark_delivered", |state, now| {
            let one = |done: &Acknowledgement| state.leased(&done.lease)?.acknowledge(done, now);
            Ok(acknowledgements.iter().map(one).collect())
        })
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        self.change("mark_failed", |state, now| {
            Ok(state.leased(lease)?.fail(lease, seq, error, policy, now)?)
        })
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(leases.len())?;
        self.change("release", |state, now| {
            let one = |lease| state.leased(lease).map(|run| run.release(now));
            Ok(leases.iter().map(one).collect())
        })
    }

    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        self.read("list_pending", |state, now| {
            let pending = state
                .runs
                .values()
                .filter(|run| Some(&run.key) > query.after.as_ref())
                .filter(|run| query.run.as_ref().is_none_or(|key| *key == run.key))
                .filter(|run| {
                    query
                        .tenant_id
                        .as_ref()
                        .is_none_or(|id| *id == run.key.tenant_id)
                })
                .filter_map(|run| run.pending(now));
            Ok(pending.take(page(query.limit)).collect())
        })
    }

    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let after = query.after.as_ref().map(|(run, no)| (run, *no));
        self.read("list_dead_letters", |state, _| {
            let letters = state
                .runs
                .values()
                .filter(|run| {
                    query
                        .tenant_id
                        .as_ref()
                        .is_none_or(|id| *id == run.key.tenant_id)
                })
                .flat_map(Run::dead_letters)
                .filter(|letter| Some((&letter.run, letter.dead_letter_no)) > after)
                .filter(|letter| !query.open_only || letter.resolution.is_none());
            Ok(letters.take(page(query.limit)).collect())
        })
    }

    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.change("retry_dead_letter", |state, now| {
            let run = state.run_mut::<OutboxError>(run)?;
            run.resolve_letter(dead_letter_no, ResolutionKind::Retried, note, now)
        })
    }

    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.change("skip_dead_letter", |state, now| {
            let run = state.run_mut::<OutboxError>(run)?;
            run.resolve_letter(dead_letter_no, ResolutionKind::Skipped, note, now)
        })
    }

    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        self.change("park_run", |state, now| {
            state.run_mut::<OutboxError>(run)?.park(note, now)
        })
    }

    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        self.change("bind_destination", |state, _| {
            let bound = state.destination.get_or_insert_with(|| destination.clone());
            if bound == destination {
                return Ok(());
            }
            Err(OutboxError::DestinationMismatch {
                bound: bound.clone(),
                requested: destination.clone(),
            })
        })
    }

    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        self.change("retarget", |state, now| match &state.destination {
            None => Err(OutboxError::NoDestination {
                requested: from.clone(),
            }),
            Some(bound) if bound == to => Ok(()),
            Some(bound) if bound == from => {
                state.destination = Some(to.clone());
                state.last_retarget = Some(RetargetRow {
                    from: from.clone(),
                    to: to.clone(),
                    note: note.into(),
                    at: now,
                });
                Ok(())
            }
            Some(bound) => Err(OutboxError::DestinationMismatch {
                bound: bound.clone(),
                requested: from.clone(),
            }),
        })
    }

    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        self.read("stats", |state, now| {
            let letters = || state.runs.values().flat_map(|run| &run.dead_letters);
            let mut stats = OutboxStats {
                dead_letters: letters().count() as u64,
                skipped_events: letters().filter(|letter| letter.is_skipped()).count() as u64,
                destination: state.destination.clone(),
                last_retarget: state.last_retarget.as_ref().map(Retarget::from),
                ..OutboxStats::default()
            };
            for pending in state.runs.values().filter_map(|run| run.pending(now)) {
                stats.pending_events += pending.last_seq - pending.delivered_seq;
                match pending.state {
                    PendingState::Due => stats.due_runs += 1,
                    PendingState::Leased { .. } => stats.leased_runs += 1,
                    PendingState::BackingOff { .. } => stats.backing_off_runs += 1,
                    PendingState::Parked { .. } => {
                        stats.parked_runs += 1;
                        stats.pending_events -= 1;
                    }
                }
                let age = now.saturating_since(pending.pending_since);
                stats.oldest_pending_age = stats.oldest_pending_age.max(Some(age));
            }
            Ok(stats)
        })
    }
}
