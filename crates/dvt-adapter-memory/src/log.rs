use std::ops::Bound;

use async_trait::async_trait;
use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, BootstrapOutcome, BootstrapRequest, Checkpoint,
    EventPage, InvalidCall, MAX_PAGE, MAX_PAGE_BYTES, ProviderRef, PruneOutcome, RunEvent, RunKey,
    RunQuery, RunRecord, RunStateStore, SaveOutcome, StoreError, TenantId, Timestamp,
};

use crate::run::Run;
use crate::state::{State, after};
use crate::store::MemoryStore;

#[async_trait]
impl RunStateStore for MemoryStore {
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        request.check_call()?;
        let (mut state, now) = self.lock();
        let created = !state.runs.contains_key(&request.run);
        if let Some(run) = state.runs.get(&request.run) {
            if let Some(pruned_at) = run.pruned_at {
                return Err(StoreError::RunPruned {
                    run: request.run.clone(),
                    pruned_at,
                });
            }
            if run.metadata != request.metadata || !run.has_all(&request.events) {
                return Err(StoreError::RunAlreadyExists {
                    run: request.run.clone(),
                });
            }
        }
        let run = state
            .runs
            .entry(request.run.clone())
            .or_insert_with(|| Run::new(request.metadata.clone(), now));
        let events = run.append_first(&request.events, now);
        let created_at = run.created_at;
        state.enqueue(&request.run, now);
        Ok(BootstrapOutcome {
            created,
            created_at,
            events,
        })
    }

    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        AppendRequest::check_call(requests)?;
        let (mut state, now) = self.lock();
        Ok(requests
            .iter()
            .map(|request| state.append(request, now))
            .collect())
    }

    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        let (state, _) = self.lock();
        Ok(state.run(run)?.record(run))
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        let (state, _) = self.lock();
        let matches = |record: &RunRecord| {
            let metadata = &record.metadata;
            query
                .project_id
                .as_ref()
                .is_none_or(|id| *id == metadata.project_id)
                && query
                    .environment_id
                    .as_ref()
                    .is_none_or(|id| *id == metadata.environment_id)
                && query.status.is_none_or(|status| status == record.status)
                && query
                    .created_since
                    .is_none_or(|since| since <= record.created_at)
                && query
                    .created_before
                    .is_none_or(|before| record.created_at < before)
                && query
                    .pruned
                    .is_none_or(|pruned| pruned == record.pruned_at.is_some())
        };
        let last = query
            .after
            .clone()
            .map(|run_id| RunKey::new(query.tenant_id.clone(), run_id));
        Ok(state
            .runs
            .range((after(last.as_ref()), Bound::Unbounded))
            .skip_while(|(key, _)| key.tenant_id < query.tenant_id)
            .take_while(|(key, _)| key.tenant_id == query.tenant_id)
            .map(|(key, run)| run.record(key))
            .filter(matches)
            .take(query.limit.min(MAX_PAGE) as usize)
            .collect())
    }

    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        let (state, _) = self.lock();
        let mut tenants: Vec<TenantId> = Vec::new();
        let later = |key: &&RunKey| after.is_none_or(|after| key.tenant_id > *after);
        for key in state.runs.keys().filter(later) {
            if tenants.last() == Some(&key.tenant_id) {
                continue;
            }
            if tenants.len() == limit.min(MAX_PAGE) as usize {
                break;
            }
            tenants.push(key.tenant_id.clone());
        }
        Ok(tenants)
    }

    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let (state, _) = self.lock();
        let run = state.run(run)?;
        let mut bytes = 0;
        let fits = |(index, event): &(usize, &RunEvent)| {
            bytes += event.event.payload().size();
            *index == 0 || bytes <= MAX_PAGE_BYTES
        };
        let events = run
            .events_after(after_seq)
            .iter()
            .take(limit.min(MAX_PAGE) as usize)
            .enumerate()
            .take_while(fits)
            .map(|(_, event)| event.clone())
            .collect();
        Ok(EventPage {
            head: run.head,
            pruned_at: run.pruned_at,
            events,
        })
    }

    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        let (mut state, _) = self.lock();
        state.live_run(run)?.provider_ref = Some(provider_ref.clone());
        Ok(())
    }

    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        let (state, _) = self.lock();
        Ok(state.run(run)?.checkpoint.clone())
    }

    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        checkpoint.check_call()?;
        let (mut state, _) = self.lock();
        let entry = state.live_run(run)?;
        if checkpoint.run_seq > entry.head {
            return Err(StoreError::Invalid(InvalidCall::CheckpointBeyondHead {
                run: run.clone(),
                run_seq: checkpoint.run_seq,
                head: entry.head,
            }));
        }
        match &entry.checkpoint {
            Some(stored) if stored.run_seq > checkpoint.run_seq => Ok(SaveOutcome::Superseded {
                stored: stored.run_seq,
            }),
            _ => {
                entry.checkpoint = Some(checkpoint.clone());
                Ok(SaveOutcome::Saved)
            }
        }
    }

    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        let (mut state, now) = self.lock();
        let entry = state.run(run)?;
        if let Some(pruned_at) = entry.pruned_at {
            return Ok(PruneOutcome {
                pruned_at,
                removed: 0,
            });
        }
        if !entry.status.is_terminal() || entry.is_pending() {
            return Err(StoreError::NotPrunable {
                run: run.clone(),
                status: entry.status,
                delivered_seq: entry.delivered_seq,
                head: entry.head,
            });
        }
        let entry = state.live_run(run)?;
        let removed = entry.head;
        entry.pruned_at = Some(now);
        entry.events = Vec::new();
        entry.keys.clear();
        entry.checkpoint = None;
        Ok(PruneOutcome {
            pruned_at: now,
            removed,
        })
    }
}

impl State {
    fn run(&self, run: &RunKey) -> Result<&Run, StoreError> {
        self.runs
            .get(run)
            .ok_or_else(|| StoreError::RunNotFound { run: run.clone() })
    }

    /// The run, unless only its tombstone is left.
    fn live_run(&mut self, run: &RunKey) -> Result<&mut Run, StoreError> {
        match self.runs.get_mut(run) {
            None => Err(StoreError::RunNotFound { run: run.clone() }),
            Some(Run {
                pruned_at: Some(pruned_at),
                ..
            }) => Err(StoreError::RunPruned {
                run: run.clone(),
                pruned_at: *pruned_at,
            }),
            Some(entry) => Ok(entry),
        }
    }

    fn append(
        &mut self,
        request: &AppendRequest,
        now: Timestamp,
    ) -> Result<AppendOutcome, AppendError> {
        let run = self
            .runs
            .get_mut(&request.run)
            .ok_or_else(|| AppendError::RunNotFound {
                run: request.run.clone(),
            })?;
        let outcome = run.append(request, now)?;
        self.enqueue(&request.run, now);
        Ok(outcome)
    }

    /// Makes a run due that has undelivered events and waits for nothing else.
    fn enqueue(&mut self, key: &RunKey, now: Timestamp) {
        let waits =
            |run: &Run| run.is_pending() && run.due.is_none() && run.open_dead_letter().is_none();
        if self.runs.get(key).is_some_and(waits) {
            self.schedule(key, Some(now));
        }
    }
}
