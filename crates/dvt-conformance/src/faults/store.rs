use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::*;

use super::injector::Faults;
use super::method::Method;
use super::plan::FaultPlan;

/// A store under faults: any store, and a plan of what happens to its calls.
///
/// It keeps what a store promises: an error of class `Transient` means that nothing happened, and where it answers `Unknown` the
/// call happened wholly or not at all.
#[derive(Debug)]
pub struct FaultStore<S> {
    store: S,
    faults: Faults,
}

impl<S> FaultStore<S> {
    /// Around this store.
    #[must_use]
    pub fn new(store: S, plan: FaultPlan) -> Self {
        Self {
            store,
            faults: Faults::new(plan),
        }
    }

    /// What happened to its calls, and the switch.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: RunStateStore> RunStateStore for FaultStore<S> {
    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        let work = self.store.append_batch(requests);
        self.faults.around(Method::AppendBatch, work).await
    }
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        let work = self.store.bootstrap_run(request);
        self.faults.around(Method::BootstrapRun, work).await
    }
    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        let work = self.store.get_run(run);
        self.faults.around(Method::GetRun, work).await
    }
    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        let work = self.store.list_runs(query);
        self.faults.around(Method::ListRuns, work).await
    }
    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        let work = self.store.list_tenants(after, limit);
        self.faults.around(Method::ListTenants, work).await
    }
    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let work = self.store.list_events(run, after_seq, limit);
        self.faults.around(Method::ListEvents, work).await
    }
    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        let work = self.store.save_provider_ref(run, provider_ref);
        self.faults.around(Method::SaveProviderRef, work).await
    }
    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        let work = self.store.load_checkpoint(run);
        self.faults.around(Method::LoadCheckpoint, work).await
    }
    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        let work = self.store.save_checkpoint(run, checkpoint);
        self.faults.around(Method::SaveCheckpoint, work).await
    }
    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        let work = self.store.prune_run(run);
        self.faults.around(Method::PruneRun, work).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: OutboxStorage> OutboxStorage for FaultStore<S> {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        let work = self.store.claim(request);
        self.faults.around(Method::Claim, work).await
    }
    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        let work = self.store.extend(leases, by);
        self.faults.around(Method::Extend, work).await
    }
    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let work = self.store.mark_delivered(acknowledgements);
        self.faults.around(Method::MarkDelivered, work).await
    }
    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let work = self.store.mark_failed(lease, seq, error, policy);
        self.faults.around(Method::MarkFailed, work).await
    }
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let work = self.store.release(leases);
        self.faults.around(Method::Release, work).await
    }
    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        let work = self.store.list_pending(query);
        self.faults.around(Method::ListPending, work).await
    }
    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let work = self.store.list_dead_letters(query);
        self.faults.around(Method::ListDeadLetters, work).await
    }
    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let work = self.store.retry_dead_letter(run, dead_letter_no, note);
        self.faults.around(Method::RetryDeadLetter, work).await
    }
    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let work = self.store.skip_dead_letter(run, dead_letter_no, note);
        self.faults.around(Method::SkipDeadLetter, work).await
    }
    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        let work = self.store.park_run(run, note);
        self.faults.around(Method::ParkRun, work).await
    }
    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        let work = self.store.bind_destination(destination);
        self.faults.around(Method::BindDestination, work).await
    }
    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        let work = self.store.retarget(from, to, note);
        self.faults.around(Method::Retarget, work).await
    }
    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        let work = self.store.stats();
        self.faults.around(Method::Stats, work).await
    }
}
