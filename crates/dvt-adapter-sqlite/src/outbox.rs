//! The outbox in a file: a claim that finds nothing writes nothing; everything else is one transaction of the writer.

mod claim;
mod dead_letters;
mod destination;
mod leases;
mod pending;

use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterQuery, Destination,
    FailOutcome, InvalidCall, Lease, LeaseError, OperatorNote, OutboxError, OutboxStats,
    OutboxStorage, PendingQuery, PendingRun, ResolutionKind, RetryPolicy, RunKey, SafeText,
};

use crate::fault::Fault;
use crate::store::SqliteStore;

use self::leases::Work;

#[async_trait]
impl OutboxStorage for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        InvalidCall::check_lease(request.lease)?;
        let claimed = self.claim_due(request).await;
        claimed.map_err(|fault| fault.outbox("claim"))
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        InvalidCall::check_leases(leases.len())?;
        InvalidCall::check_lease(by)?;
        let work: Vec<_> = leases.iter().map(|lease| Work::Extend(lease, by)).collect();
        let done = self.work(&work).await;
        done.map_err(|fault| fault.outbox("extend"))
    }

    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(acknowledgements.len())?;
        let work: Vec<_> = acknowledgements.iter().map(Work::Acknowledge).collect();
        let done = self.work(&work).await;
        let done = done.map_err(|fault| fault.outbox("mark_delivered"))?;
        Ok(done.into_iter().map(|done| done.map(drop)).collect())
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let failed = |fault: Fault| fault.outbox("mark_failed");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let outcome = leases::fail(connection, lease, seq, error, policy, self.now()).await;
        Ok(session.end(outcome).await.map_err(failed)??)
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        InvalidCall::check_leases(leases.len())?;
        let work: Vec<_> = leases.iter().map(Work::Release).collect();
        let done = self.work(&work).await;
        let done = done.map_err(|fault| fault.outbox("release"))?;
        Ok(done.into_iter().map(|done| done.map(drop)).collect())
    }

    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        let failed = |fault: Fault| fault.outbox("list_pending");
        let mut session = self.database().read().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let listed = pending::list_pending(connection, query, self.now()).await;
        session.end(listed).await.map_err(failed)
    }

    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let failed = |fault: Fault| fault.outbox("list_dead_letters");
        let mut session = self.database().read().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let listed = dead_letters::list_dead_letters(connection, query).await;
        session.end(listed).await.map_err(failed)
    }

    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let resolved = self
            .resolve(run, dead_letter_no, ResolutionKind::Retried, note)
            .await;
        resolved.map_err(|fault| fault.outbox("retry_dead_letter"))?
    }

    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let resolved = self
            .resolve(run, dead_letter_no, ResolutionKind::Skipped, note)
            .await;
        resolved.map_err(|fault| fault.outbox("skip_dead_letter"))?
    }

    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        let failed = |fault: Fault| fault.outbox("park_run");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let parked = dead_letters::park(connection, run, note, self.now()).await;
        session.end(parked).await.map_err(failed)?
    }

    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        let bound = self.bind(destination).await;
        bound.map_err(|fault| fault.outbox("bind_destination"))?
    }

    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        let failed = |fault: Fault| fault.outbox("retarget");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let done = destination::retarget(connection, from, to, note, self.now()).await;
        session.end(done).await.map_err(failed)?
    }

    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        let failed = |fault: Fault| fault.outbox("stats");
        let mut session = self.database().read().await.map_err(failed)?;
        let stats = pending::stats(session.connection().map_err(failed)?, self.now()).await;
        session.end(stats).await.map_err(failed)
    }
}

impl SqliteStore {
    async fn claim_due(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, Fault> {
        if request.max_runs == 0 || request.max_events_per_run == 0 {
            return Ok(Vec::new());
        }
        // Relays ask all the time: only one that will find something stands in the writers' line.
        let mut session = self.database().read().await?;
        let due = claim::due(session.connection()?, 1, self.now()).await;
        if session.end(due).await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.database().write().await?;
        let claimed = claim::claim(session.connection()?, request, self.now()).await;
        session.end(claimed).await
    }

    async fn work(&self, work: &[Work<'_>]) -> Result<Vec<Result<Lease, LeaseError>>, Fault> {
        if work.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.database().write().await?;
        let done = leases::work_all(session.connection()?, work, self.now()).await;
        session.end(done).await
    }

    async fn resolve(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        kind: ResolutionKind,
        note: &OperatorNote,
    ) -> Result<Result<DeadLetter, OutboxError>, Fault> {
        let mut session = self.database().write().await?;
        let connection = session.connection()?;
        let resolved =
            dead_letters::resolve(connection, run, dead_letter_no, kind, note, self.now()).await;
        session.end(resolved).await
    }

    async fn bind(&self, destination: &Destination) -> Result<Result<(), OutboxError>, Fault> {
        let mut session = self.database().read().await?;
        let bound = destination::bound(session.connection()?).await;
        if let Some(bound) = session.end(bound).await? {
            return Ok(destination::same(bound.destination, destination));
        }
        let mut session = self.database().write().await?;
        let done = destination::bind(session.connection()?, destination).await;
        session.end(done).await
    }
}
