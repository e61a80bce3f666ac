//! A store with one planted bug, wrapped around any store.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::*;

use crate::mutants::CLOCK_TENANT;

/// One planted bug: overrides the methods that it breaks. Everything else goes to the store below.
///
/// A bug is made anew for each store and shared by all handles on it, so that it can keep notes.
#[async_trait]
pub(crate) trait Bug: Debug + Send + Sync {
    async fn bootstrap_run(
        &self,
        inner: &dyn Store,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        inner.bootstrap_run(request).await
    }
    async fn append_batch(
        &self,
        inner: &dyn Store,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        inner.append_batch(requests).await
    }
    async fn get_run(&self, inner: &dyn Store, run: &RunKey) -> Result<RunRecord, StoreError> {
        inner.get_run(run).await
    }
    async fn list_runs(
        &self,
        inner: &dyn Store,
        query: &RunQuery,
    ) -> Result<Vec<RunRecord>, StoreError> {
        inner.list_runs(query).await
    }
    async fn list_tenants(
        &self,
        inner: &dyn Store,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        inner.list_tenants(after, limit).await
    }
    async fn list_events(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        inner.list_events(run, after_seq, limit).await
    }
    async fn save_provider_ref(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        inner.save_provider_ref(run, provider_ref).await
    }
    async fn load_checkpoint(
        &self,
        inner: &dyn Store,
        run: &RunKey,
    ) -> Result<Option<Checkpoint>, StoreError> {
        inner.load_checkpoint(run).await
    }
    async fn save_checkpoint(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        inner.save_checkpoint(run, checkpoint).await
    }
    async fn prune_run(&self, inner: &dyn Store, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        inner.prune_run(run).await
    }
    async fn claim(
        &self,
        inner: &dyn Store,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, OutboxError> {
        inner.claim(request).await
    }
    async fn extend(
        &self,
        inner: &dyn Store,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        inner.extend(leases, by).await
    }
    async fn mark_delivered(
        &self,
        inner: &dyn Store,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        inner.mark_delivered(acknowledgements).await
    }
    async fn mark_failed(
        &self,
        inner: &dyn Store,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        inner.mark_failed(lease, seq, error, policy).await
    }
    async fn release(
        &self,
        inner: &dyn Store,
        leases: &[Lease],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        inner.release(leases).await
    }
    async fn list_pending(
        &self,
        inner: &dyn Store,
        query: &PendingQuery,
    ) -> Result<Vec<PendingRun>, OutboxError> {
        inner.list_pending(query).await
    }
    async fn list_dead_letters(
        &self,
        inner: &dyn Store,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        inner.list_dead_letters(query).await
    }
    async fn retry_dead_letter(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        inner.retry_dead_letter(run, dead_letter_no, note).await
    }
    async fn skip_dead_letter(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        inner.skip_dead_letter(run, dead_letter_no, note).await
    }
    async fn park_run(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        inner.park_run(run, note).await
    }
    async fn bind_destination(
        &self,
        inner: &dyn Store,
        destination: &Destination,
    ) -> Result<(), OutboxError> {
        inner.bind_destination(destination).await
    }
    async fn retarget(
        &self,
        inner: &dyn Store,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        inner.retarget(from, to, note).await
    }
    async fn stats(&self, inner: &dyn Store) -> Result<OutboxStats, OutboxError> {
        inner.stats().await
    }
}

/// A handle on a store with a bug.
#[derive(Debug)]
pub(crate) struct Mutant {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) bug: Arc<dyn Bug>,
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl RunStateStore for Mutant {
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        self.bug.bootstrap_run(&*self.inner, request).await
    }
    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        self.bug.append_batch(&*self.inner, requests).await
    }
    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        self.bug.get_run(&*self.inner, run).await
    }
    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        self.bug.list_runs(&*self.inner, query).await
    }
    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        // Some bugs look at the clock by making runs of a tenant that is not there for anybody else.
        let mut tenants = self.bug.list_tenants(&*self.inner, after, limit).await?;
        tenants.retain(|tenant| tenant.as_str() != CLOCK_TENANT);
        Ok(tenants)
    }
    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.bug
            .list_events(&*self.inner, run, after_seq, limit)
            .await
    }
    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        self.bug
            .save_provider_ref(&*self.inner, run, provider_ref)
            .await
    }
    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        self.bug.load_checkpoint(&*self.inner, run).await
    }
    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        self.bug
            .save_checkpoint(&*self.inner, run, checkpoint)
            .await
    }
    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        self.bug.prune_run(&*self.inner, run).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl OutboxStorage for Mutant {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        self.bug.claim(&*self.inner, request).await
    }
    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        self.bug.extend(&*self.inner, leases, by).await
    }
    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.bug
            .mark_delivered(&*self.inner, acknowledgements)
            .await
    }
    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        self.bug
            .mark_failed(&*self.inner, lease, seq, error, policy)
            .await
    }
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.bug.release(&*self.inner, leases).await
    }
    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        self.bug.list_pending(&*self.inner, query).await
    }
    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.bug.list_dead_letters(&*self.inner, query).await
    }
    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.bug
            .retry_dead_letter(&*self.inner, run, dead_letter_no, note)
            .await
    }
    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.bug
            .skip_dead_letter(&*self.inner, run, dead_letter_no, note)
            .await
    }
    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        self.bug.park_run(&*self.inner, run, note).await
    }
    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        self.bug.bind_destination(&*self.inner, destination).await
    }
    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        self.bug.retarget(&*self.inner, from, to, note).await
    }
    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        self.bug.stats(&*self.inner).await
    }
}
