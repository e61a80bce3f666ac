//! The run log on PostgreSQL: each method checks its call, asks one statement or a few, and reads the reply.

mod bootstrap;
mod checkpoints;
mod events;
mod provider_ref;
mod prune;
mod runs;

use async_trait::async_trait;
use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, BootstrapOutcome, BootstrapRequest, Checkpoint,
    ErrorClass, EventPage, ProviderRef, PruneOutcome, RunKey, RunQuery, RunRecord, RunStateStore,
    SaveOutcome, StoreError, TenantId,
};

use crate::append::{self, Target};
use crate::fault::Fault;
use crate::store::PostgresStore;

#[async_trait]
impl RunStateStore for PostgresStore {
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        request.check_call()?;
        let outcome = bootstrap::bootstrap_run(self.database(), request).await;
        let stored = match &outcome {
            Ok(run) => run.created && !run.events.is_empty(),
            Err(error) => error.class() == ErrorClass::Unknown,
        };
        if stored {
            self.hint();
        }
        outcome
    }

    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        AppendRequest::check_call(requests)?;
        let outcome = if requests.len() > 1 {
            // Several requests may take several statements: a task does them all, even if the caller goes away.
            let (store, requests) = (self.clone(), requests.to_vec());
            let task = tokio::spawn(async move { store.append(&requests).await });
            task.await.unwrap_or_else(|error| Err(Fault::Task(error)))
        } else {
            self.append(requests).await
        };
        outcome.map_err(|fault| fault.store("append_batch"))
    }

    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        runs::get_run(self.database(), run).await
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        let listed = runs::list_runs(self.database(), query).await;
        listed.map_err(|fault| fault.store("list_runs"))
    }

    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        let listed = runs::list_tenants(self.database(), after, limit).await;
        listed.map_err(|fault| fault.store("list_tenants"))
    }

    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        events::list_events(self.database(), run, after_seq, limit).await
    }

    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        provider_ref::save_provider_ref(self.database(), run, provider_ref).await
    }

    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        checkpoints::load_checkpoint(self.database(), run).await
    }

    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        checkpoint.check_call()?;
        checkpoints::save_checkpoint(self.database(), run, checkpoint).await
    }

    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        prune::prune_run(self.database(), run).await
    }
}

impl PostgresStore {
    async fn append(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, Fault> {
        let database = self.database();
        let mut call = database.call();
        let outcome = append::append(
            Target::Pool(database, self.doubt()),
            &mut call,
            database.clock_shift(),
            requests,
        )
        .await;
        let stored = match &outcome {
            Ok(replies) => {
                let mut events = replies.iter().flatten().flat_map(|reply| &reply.events);
                events.any(|event| !event.is_duplicate())
            }
            // Perhaps it did, and the repetition will be a duplicate.
            Err(fault) => fault.class() == ErrorClass::Unknown,
        };
        if stored {
            self.hint();
        }
        outcome
    }
}
