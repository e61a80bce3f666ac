//! The run log in a file: each method checks its call, and does its work in one transaction.

mod bootstrap;
mod checkpoints;
mod events;
mod provider_ref;
mod prune;
mod runs;

use async_trait::async_trait;
use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, BootstrapOutcome, BootstrapRequest, Checkpoint,
    EventPage, ProviderRef, PruneOutcome, RunKey, RunQuery, RunRecord, RunStateStore, SaveOutcome,
    StoreError, TenantId,
};
use sqlx::SqliteConnection;

use crate::append;
use crate::fault::Fault;
use crate::head::Head;
use crate::store::SqliteStore;

pub(crate) use self::events::page;

#[async_trait]
impl RunStateStore for SqliteStore {
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        request.check_call()?;
        let failed = |fault: Fault| fault.store("bootstrap_run");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let outcome = bootstrap::bootstrap(connection, request, self.now()).await;
        session.end(outcome).await.map_err(failed)?
    }

    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        AppendRequest::check_call(requests)?;
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |fault: Fault| fault.store("append_batch");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let outcome = append::append(connection, requests, self.now()).await;
        session.end(outcome).await.map_err(failed)
    }

    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        let failed = |fault: Fault| fault.store("get_run");
        let mut session = self.database().read().await.map_err(failed)?;
        let found = runs::get_run(session.connection().map_err(failed)?, run).await;
        let found = session.end(found).await.map_err(failed)?;
        found.ok_or_else(|| StoreError::RunNotFound { run: run.clone() })
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        let failed = |fault: Fault| fault.store("list_runs");
        let mut session = self.database().read().await.map_err(failed)?;
        let listed = runs::list_runs(session.connection().map_err(failed)?, query).await;
        session.end(listed).await.map_err(failed)
    }

    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        let failed = |fault: Fault| fault.store("list_tenants");
        let mut session = self.database().read().await.map_err(failed)?;
        let listed = runs::list_tenants(session.connection().map_err(failed)?, after, limit).await;
        session.end(listed).await.map_err(failed)
    }

    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let failed = |fault: Fault| fault.store("list_events");
        let mut session = self.database().read().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let listed = events::list_events(connection, run, after_seq, limit).await;
        let listed = session.end(listed).await.map_err(failed)?;
        listed.ok_or_else(|| StoreError::RunNotFound { run: run.clone() })
    }

    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        let failed = |fault: Fault| fault.store("save_provider_ref");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let saved = provider_ref::save(connection, run, provider_ref).await;
        session.end(saved).await.map_err(failed)?
    }

    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        let failed = |fault: Fault| fault.store("load_checkpoint");
        let mut session = self.database().read().await.map_err(failed)?;
        let loaded = checkpoints::load(session.connection().map_err(failed)?, run).await;
        session.end(loaded).await.map_err(failed)?
    }

    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        checkpoint.check_call()?;
        let failed = |fault: Fault| fault.store("save_checkpoint");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let saved = checkpoints::save(connection, run, checkpoint).await;
        session.end(saved).await.map_err(failed)?
    }

    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        let failed = |fault: Fault| fault.store("prune_run");
        let mut session = self.database().write().await.map_err(failed)?;
        let connection = session.connection().map_err(failed)?;
        let pruned = prune::prune_run(connection, run, self.now()).await;
        session.end(pruned).await.map_err(failed)?
    }
}

/// The run, unless it is not there or only its tombstone is left.
async fn live_head(
    connection: &mut SqliteConnection,
    run: &RunKey,
) -> Result<Result<Head, StoreError>, Fault> {
    let run = run.clone();
    Ok(match Head::load(connection, &run).await? {
        None => Err(StoreError::RunNotFound { run }),
        Some(Head {
            pruned_at: Some(pruned_at),
            ..
        }) => Err(StoreError::RunPruned { run, pruned_at }),
        Some(head) => Ok(head),
    })
}
