//! The outbox on PostgreSQL: each method checks its call, asks one statement or a few, and reads the reply.

mod claim;
mod dead_letters;
mod destination;
mod fail;
mod leases;
mod pending;

use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterQuery, Destination,
    FailOutcome, InvalidCall, Lease, LeaseError, OperatorNote, OutboxError, OutboxStats,
    OutboxStorage, PendingQuery, PendingRun, ResolutionKind, RetryPolicy, RunKey, SafeText,
};

use crate::store::PostgresStore;

#[async_trait]
impl OutboxStorage for PostgresStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        InvalidCall::check_lease(request.lease)?;
        let claimed = claim::claim(self.database(), self.floor(), request).await;
        claimed.map_err(|fault| fault.outbox("claim"))
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        InvalidCall::check_leases(leases.len())?;
        InvalidCall::check_lease(by)?;
        let works = leases
            .iter()
            .cloned()
            .map(|lease| leases::Extend { lease, by });
        let replies = leases::answer(self.database(), works.collect()).await;
        replies.map_err(|fault| fault.outbox("extend"))
    }

    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(acknowledgements.len())?;
        let works = acknowledgements.iter().cloned().map(leases::Acknowledge);
        let replies = leases::answer(self.database(), works.collect()).await;
        replies.map_err(|fault| fault.outbox("mark_delivered"))
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let failed = fail::mark_failed(self.database(), lease, seq, error, policy).await;
        failed
            .map_err(|fault| fault.outbox("mark_failed"))?
            .map_err(OutboxError::from)
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(leases.len())?;
        let works = leases.iter().cloned().map(leases::Release);
        let replies = leases::answer(self.database(), works.collect()).await;
        replies.map_err(|fault| fault.outbox("release"))
    }

    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        let listed = pending::list_pending(self.database(), query).await;
        listed.map_err(|fault| fault.outbox("list_pending"))
    }

    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let listed = dead_letters::list_dead_letters(self.database(), query).await;
        listed.map_err(|fault| fault.outbox("list_dead_letters"))
    }

    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let kind = ResolutionKind::Retried;
        let resolved = dead_letters::resolve(
            self.database(),
            "retry_dead_letter",
            run,
            dead_letter_no,
            kind,
            note,
        )
        .await?;
        self.hint();
        Ok(resolved)
    }

    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let kind = ResolutionKind::Skipped;
        let resolved = dead_letters::resolve(
            self.database(),
            "skip_dead_letter",
            run,
            dead_letter_no,
            kind,
            note,
        )
        .await?;
        self.hint();
        Ok(resolved)
    }

    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        dead_letters::park_run(self.database(), run, note).await
    }

    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        destination::bind(self.database(), destination).await
    }

    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        destination::retarget(self.database(), from, to, note).await
    }

    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        let stats = pending::stats(self.database()).await;
        stats.map_err(|fault| fault.outbox("stats"))
    }
}
