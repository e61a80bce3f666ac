//! What a layer has nothing to say about.

/// Both ports for a layer: `append_batch` and `bootstrap_run` are its methods `append` and `bootstrap`, everything else is for the store below, its `store()`.
macro_rules! passes_on {
    ($layer:ident) => {
        #[deny(clippy::missing_trait_methods)]
        #[async_trait::async_trait]
        impl<S: Store + 'static> RunStateStore for $layer<S> {
            async fn append_batch(
                &self,
                requests: &[AppendRequest],
            ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
                self.append(requests).await
            }
            async fn bootstrap_run(
                &self,
                request: &BootstrapRequest,
            ) -> Result<BootstrapOutcome, StoreError> {
                self.bootstrap(request).await
            }
            async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
                self.store().get_run(run).await
            }
            async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
                self.store().list_runs(query).await
            }
            async fn list_tenants(
                &self,
                after: Option<&TenantId>,
                limit: u32,
            ) -> Result<Vec<TenantId>, StoreError> {
                self.store().list_tenants(after, limit).await
            }
            async fn list_events(
                &self,
                run: &RunKey,
                after_seq: u64,
                limit: u32,
            ) -> Result<EventPage, StoreError> {
                self.store().list_events(run, after_seq, limit).await
            }
            async fn save_provider_ref(
                &self,
                run: &RunKey,
                provider_ref: &ProviderRef,
            ) -> Result<(), StoreError> {
                self.store().save_provider_ref(run, provider_ref).await
            }
            async fn load_checkpoint(
                &self,
                run: &RunKey,
            ) -> Result<Option<Checkpoint>, StoreError> {
                self.store().load_checkpoint(run).await
            }
            async fn save_checkpoint(
                &self,
                run: &RunKey,
                checkpoint: &Checkpoint,
            ) -> Result<SaveOutcome, StoreError> {
                self.store().save_checkpoint(run, checkpoint).await
            }
            async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
                self.store().prune_run(run).await
            }
        }

        #[deny(clippy::missing_trait_methods)]
        #[async_trait::async_trait]
        impl<S: Store + 'static> OutboxStorage for $layer<S> {
            async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
                self.store().claim(request).await
            }
            async fn extend(
                &self,
                leases: &[Lease],
                by: std::time::Duration,
            ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
                self.store().extend(leases, by).await
            }
            async fn mark_delivered(
                &self,
                acknowledgements: &[Acknowledgement],
            ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
                self.store().mark_delivered(acknowledgements).await
            }
            async fn mark_failed(
                &self,
                lease: &Lease,
                seq: u64,
                error: &SafeText,
                policy: &RetryPolicy,
            ) -> Result<FailOutcome, OutboxError> {
                self.store().mark_failed(lease, seq, error, policy).await
            }
            async fn release(
                &self,
                leases: &[Lease],
            ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
                self.store().release(leases).await
            }
            async fn list_pending(
                &self,
                query: &PendingQuery,
            ) -> Result<Vec<PendingRun>, OutboxError> {
                self.store().list_pending(query).await
            }
            async fn list_dead_letters(
                &self,
                query: &DeadLetterQuery,
            ) -> Result<Vec<DeadLetter>, OutboxError> {
                self.store().list_dead_letters(query).await
            }
            async fn retry_dead_letter(
                &self,
                run: &RunKey,
                dead_letter_no: u64,
                note: &OperatorNote,
            ) -> Result<DeadLetter, OutboxError> {
                self.store()
                    .retry_dead_letter(run, dead_letter_no, note)
                    .await
            }
            async fn skip_dead_letter(
                &self,
                run: &RunKey,
                dead_letter_no: u64,
                note: &OperatorNote,
            ) -> Result<DeadLetter, OutboxError> {
                self.store()
                    .skip_dead_letter(run, dead_letter_no, note)
                    .await
            }
            async fn park_run(
                &self,
                run: &RunKey,
                note: &OperatorNote,
            ) -> Result<DeadLetter, OutboxError> {
                self.store().park_run(run, note).await
            }
            async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
                self.store().bind_destination(destination).await
            }
            async fn retarget(
                &self,
                from: &Destination,
                to: &Destination,
                note: &OperatorNote,
            ) -> Result<(), OutboxError> {
                self.store().retarget(from, to, note).await
            }
            async fn stats(&self) -> Result<OutboxStats, OutboxError> {
                self.store().stats().await
            }
        }
    };
}

pub(crate) use passes_on;
