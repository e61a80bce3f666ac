//! The ports for whatever points at a store, so that layers and relays take `Arc<dyn Store>` too.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::*;

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<T: RunStateStore + ?Sized> RunStateStore for $pointer {
            async fn bootstrap_run(
                &self,
                request: &BootstrapRequest,
            ) -> Result<BootstrapOutcome, StoreError> {
                (**self).bootstrap_run(request).await
            }
            async fn append_batch(
                &self,
                requests: &[AppendRequest],
            ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
                (**self).append_batch(requests).await
            }
            async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
                (**self).get_run(run).await
            }
            async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
                (**self).list_runs(query).await
            }
            async fn list_tenants(
                &self,
                after: Option<&TenantId>,
                limit: u32,
            ) -> Result<Vec<TenantId>, StoreError> {
                (**self).list_tenants(after, limit).await
            }
            async fn list_events(
                &self,
                run: &RunKey,
                after_seq: u64,
                limit: u32,
            ) -> Result<EventPage, StoreError> {
                (**self).list_events(run, after_seq, limit).await
            }
            async fn save_provider_ref(
                &self,
                run: &RunKey,
                provider_ref: &ProviderRef,
            ) -> Result<(), StoreError> {
                (**self).save_provider_ref(run, provider_ref).await
            }
            async fn load_checkpoint(
                &self,
                run: &RunKey,
            ) -> Result<Option<Checkpoint>, StoreError> {
                (**self).load_checkpoint(run).await
            }
            async fn save_checkpoint(
                &self,
                run: &RunKey,
                checkpoint: &Checkpoint,
            ) -> Result<SaveOutcome, StoreError> {
                (**self).save_checkpoint(run, checkpoint).await
            }
            async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
                (**self).prune_run(run).await
            }
        }

        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<T: OutboxStorage + ?Sized> OutboxStorage for $pointer {
            async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
                (**self).claim(request).await
            }
            async fn extend(
                &self,
                leases: &[Lease],
                by: Duration,
            ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
                (**self).extend(leases, by).await
            }
            async fn mark_delivered(
                &self,
                acknowledgements: &[Acknowledgement],
            ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
                (**self).mark_delivered(acknowledgements).await
            }
            async fn mark_failed(
                &self,
                lease: &Lease,
                seq: u64,
                error: &SafeText,
                policy: &RetryPolicy,
            ) -> Result<FailOutcome, OutboxError> {
                (**self).mark_failed(lease, seq, error, policy).await
            }
            async fn release(
                &self,
                leases: &[Lease],
            ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
                (**self).release(leases).await
            }
            async fn list_pending(
                &self,
                query: &PendingQuery,
            ) -> Result<Vec<PendingRun>, OutboxError> {
                (**self).list_pending(query).await
            }
            async fn list_dead_letters(
                &self,
                query: &DeadLetterQuery,
            ) -> Result<Vec<DeadLetter>, OutboxError> {
                (**self).list_dead_letters(query).await
            }
            async fn retry_dead_letter(
                &self,
                run: &RunKey,
                dead_letter_no: u64,
                note: &OperatorNote,
            ) -> Result<DeadLetter, OutboxError> {
                (**self).retry_dead_letter(run, dead_letter_no, note).await
            }
            async fn skip_dead_letter(
                &self,
                run: &RunKey,
                dead_letter_no: u64,
                note: &OperatorNote,
            ) -> Result<DeadLetter, OutboxError> {
                (**self).skip_dead_letter(run, dead_letter_no, note).await
            }
            async fn park_run(
                &self,
                run: &RunKey,
                note: &OperatorNote,
            ) -> Result<DeadLetter, OutboxError> {
                (**self).park_run(run, note).await
            }
            async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
                (**self).bind_destination(destination).await
            }
            async fn retarget(
                &self,
                from: &Destination,
                to: &Destination,
                note: &OperatorNote,
            ) -> Result<(), OutboxError> {
                (**self).retarget(from, to, note).await
            }
            async fn stats(&self) -> Result<OutboxStats, OutboxError> {
                (**self).stats().await
            }
        }
    )*};
}

forward!(Arc<T>, Box<T>, &T);

#[async_trait]
impl<T: EventSink + ?Sized> EventSink for Arc<T> {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        (**self).publish(run, claim_no, events).await
    }
}
