use async_trait::async_trait;
use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, BootstrapOutcome, BootstrapRequest, Checkpoint,
    EventPage, InvalidCall, MAX_PAGE, MAX_PAGE_BYTES, ProviderRef, PruneOutcome, RunEvent, RunKey,
    RunQuery, RunRecord, RunStateStore, SaveOutcome, StoreError, TenantId,
};

use crate::append::append;
use crate::bootstrap::bootstrap;
use crate::file_store::FileStore;
use crate::row::ProviderRow;
use crate::run::{Run, Tombstone};

#[async_trait]
impl RunStateStore for FileStore {
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        request.check_call()?;
        self.change("bootstrap_run", |state, now| bootstrap(state, request, now))
    }

    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        AppendRequest::check_call(requests)?;
        self.change("append_batch", |state, now| {
            let execute = |request| append(state, request, now);
            Ok(requests.iter().map(execute).collect())
        })
    }

    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        self.read("get_run", |state, _| state.run(run).map(Run::record))
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        self.read("list_runs", |state, _| {
            let runs = state.runs.values().filter(|run| matches(query, run));
            Ok(runs.take(page(query.limit)).map(Run::record).collect())
        })
    }

    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.read("list_tenants", |state, _| {
            let mut tenants: Vec<_> = state.runs.keys().map(|run| &run.tenant_id).collect();
            tenants.dedup();
            let later = tenants.into_iter().filter(|tenant| Some(*tenant) > after);
            Ok(later.take(page(limit)).cloned().collect())
        })
    }

    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.read("list_events", |state, _| {
            let run = state.run::<StoreError>(run)?;
            let mut bytes = 0;
            let fits = |stored: &&RunEvent| {
                let first = bytes == 0;
                bytes += stored.event.payload().size();
                first || bytes <= MAX_PAGE_BYTES
            };
            let events = run.events_after(after_seq).take(page(limit));
            Ok(EventPage {
                head: run.head(),
                pruned_at: run.pruned_at(),
                events: events.take_while(fits).cloned().collect(),
            })
        })
    }

    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        self.change("save_provider_ref", |state, _| {
            let run = state.run_mut::<StoreError>(run)?;
            run.check_live()?;
            run.provider_ref = Some(ProviderRow::new(provider_ref.clone()));
            Ok(())
        })
    }

    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        self.read("load_checkpoint", |state, _| {
            let run = state.run::<StoreError>(run)?;
            Ok(run.checkpoint.clone().map(Checkpoint::from))
        })
    }

    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        checkpoint.check_call()?;
        self.change("save_checkpoint", |state, _| {
            let run = state.run_mut::<StoreError>(run)?;
            run.check_live()?;
            if checkpoint.run_seq > run.head() {
                return Err(StoreError::Invalid(InvalidCall::CheckpointBeyondHead {
                    run: run.key.clone(),
                    run_seq: checkpoint.run_seq,
                    head: run.head(),
                }));
            }
            match &run.checkpoint {
                Some(stored) if stored.run_seq > checkpoint.run_seq => {
                    Ok(SaveOutcome::Superseded {
                        stored: stored.run_seq,
                    })
                }
                _ => {
                    run.checkpoint = Some(checkpoint.clone().into());
                    Ok(SaveOutcome::Saved)
                }
            }
        })
    }

    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        self.change("prune_run", |state, now| {
            let run = state.run_mut::<StoreError>(run)?;
            if let Some(pruned_at) = run.pruned_at() {
                return Ok(PruneOutcome {
                    pruned_at,
                    removed: 0,
                });
            }
            let head = run.head();
            if !run.status.is_terminal() || run.has_pending() {
                return Err(StoreError::NotPrunable {
                    run: run.key.clone(),
                    status: run.status,
                    delivered_seq: run.cursor.delivered_seq,
                    head,
                });
            }
            run.tombstone = Some(Tombstone {
                head,
                pruned_at: now,
            });
            run.log.clear();
            run.checkpoint = None;
            Ok(PruneOutcome {
                pruned_at: now,
                removed: head,
            })
        })
    }
}

/// A limit of the contract's listings as a number of rows.
pub(crate) fn page(limit: u32) -> usize {
    limit.min(MAX_PAGE) as usize
}

fn matches(query: &RunQuery, run: &Run) -> bool {
    fn unset_or<T>(filter: &Option<T>, test: impl FnOnce(&T) -> bool) -> bool {
        filter.as_ref().is_none_or(test)
    }
    run.key.tenant_id == query.tenant_id
        && unset_or(&query.project_id, |id| *id == run.metadata.project_id)
        && unset_or(&query.environment_id, |id| {
            *id == run.metadata.environment_id
        })
        && unset_or(&query.status, |status| *status == run.status)
        && unset_or(&query.created_since, |since| run.created_at >= *since)
        && unset_or(&query.created_before, |before| run.created_at < *before)
        && unset_or(&query.pruned, |pruned| run.pruned_at().is_some() == *pruned)
        && unset_or(&query.after, |after| run.key.run_id > *after)
}

impl Run {
    /// Refuses to write to a tombstone.
    fn check_live(&self) -> Result<(), StoreError> {
        match self.pruned_at() {
            None => Ok(()),
            Some(pruned_at) => Err(StoreError::RunPruned {
                run: self.key.clone(),
                pruned_at,
            }),
        }
    }
}
