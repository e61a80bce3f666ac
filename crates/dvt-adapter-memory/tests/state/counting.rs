//! A store that counts its calls, and whose checkpoints can go wrong.

use std::sync::{Mutex, MutexGuard};

use dvt_adapter_memory::MemoryStore;
use dvt_conformance::async_trait;
use dvt_conformance::fixture::{claim_all, metadata};
use dvt_contracts::*;

#[derive(Debug, Default)]
pub(crate) struct Counting {
    store: MemoryStore,
    calls: Mutex<Calls>,
    checkpoints: Mutex<Checkpoints>,
}

/// What was asked since the last look.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) pages: u32,
    pub(crate) events: u64,
    pub(crate) loads: u32,
    pub(crate) saves: u32,
}

/// What becomes of checkpoints.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) enum Checkpoints {
    /// They are kept.
    #[default]
    Kept,
    /// They are not there when somebody asks.
    Deleted,
    /// What is read is not what was saved.
    Corrupt(fn(Checkpoint) -> Checkpoint),
    /// None can be saved.
    Refused,
}

impl Counting {
    pub(crate) fn set(&self, checkpoints: Checkpoints) {
        *self.checkpoints.lock().unwrap() = checkpoints;
    }

    /// The calls since the last look.
    pub(crate) fn calls(&self) -> Calls {
        std::mem::take(&mut *self.count())
    }

    pub(crate) async fn bootstrap(&self, run: &RunKey) {
        let request = BootstrapRequest {
            run: run.clone(),
            metadata: metadata(),
            events: Vec::new(),
        };
        self.store.bootstrap_run(&request).await.unwrap();
    }

    pub(crate) async fn append(&self, run: &RunKey, events: &[Event]) {
        for call in events.chunks(MAX_CALL_EVENTS) {
            let request = AppendRequest::new(run.clone(), call.to_vec());
            self.store.append_and_enqueue(request).await.unwrap();
        }
    }

    pub(crate) async fn deliver_all(&self) {
        for claimed in self.store.claim(&claim_all()).await.unwrap() {
            let through = claimed.events.last().unwrap().run_seq;
            let lease = claimed.lease;
            let all = [Acknowledgement { lease, through }];
            self.store.mark_delivered(&all).await.unwrap();
        }
    }

    fn count(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }
}

#[async_trait]
impl RunStateStore for Counting {
    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let page = self.store.list_events(run, after_seq, limit).await?;
        let mut calls = self.count();
        calls.pages += 1;
        calls.events += page.events.len() as u64;
        Ok(page)
    }
    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        self.count().loads += 1;
        let stored = self.store.load_checkpoint(run).await?;
        Ok(match *self.checkpoints.lock().unwrap() {
            Checkpoints::Kept | Checkpoints::Refused => stored,
            Checkpoints::Deleted => None,
            Checkpoints::Corrupt(by) => stored.map(by),
        })
    }
    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        self.count().saves += 1;
        if let Checkpoints::Refused = *self.checkpoints.lock().unwrap() {
            return Err(StoreError::refused("save_checkpoint", "read only"));
        }
        self.store.save_checkpoint(run, checkpoint).await
    }
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        self.store.bootstrap_run(request).await
    }
    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        self.store.append_batch(requests).await
    }
    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        self.store.get_run(run).await
    }
    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        self.store.list_runs(query).await
    }
    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.store.list_tenants(after, limit).await
    }
    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        self.store.save_provider_ref(run, provider_ref).await
    }
    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        self.store.prune_run(run).await
    }
}
