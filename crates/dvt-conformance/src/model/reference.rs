//! The reference model: what DESIGN says, in the plainest code, without any regard for speed.

use std::collections::{BTreeMap, BTreeSet};

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, BootstrapOutcome, BootstrapRequest,
    Checkpoint, ConflictPolicy, DeadLetter, Destination, Disposition, Event, EventPage, Expected,
    InvalidCall, MAX_CALL_EVENTS, ProviderRef, PruneOutcome, Retarget, RunEvent, RunKey,
    RunMetadata, RunQuery, RunRecord, RunState, RunStatus, SafeText, SaveOutcome, StoreError,
    Timestamp, status_after,
};

use super::call::Call;
use super::snap::{STEP, model_start};
use super::text;

/// The state of a whole store.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// Whether it refuses what the transition table does not allow.
    judges: bool,
    pub(super) now: Timestamp,
    pub(super) runs: BTreeMap<RunKey, ModelRun>,
    pub(super) destination: Option<Destination>,
    pub(super) last_retarget: Option<Retarget>,
}

#[derive(Debug, Clone)]
pub(super) struct ModelRun {
    metadata: RunMetadata,
    provider_ref: Option<ProviderRef>,
    created_at: Timestamp,
    pub(super) log: Vec<RunEvent>,
    /// Time, status and head at the prune.
    pub(super) tombstone: Option<(Timestamp, RunStatus, u64)>,
    checkpoint: Option<Checkpoint>,
    pub(super) cursor: u64,
    pub(super) due: Option<Timestamp>,
    pub(super) claim_no: u64,
    pub(super) lease_until: Option<Timestamp>,
    pub(super) attempts: u32,
    pub(super) unfinished_claims: u32,
    pub(super) last_error: Option<SafeText>,
    pub(super) dead: Vec<DeadLetter>,
}

impl ModelRun {
    pub(super) fn head(&self) -> u64 {
        self.tombstone
            .map_or(self.log.len() as u64, |(_, _, head)| head)
    }

    fn status(&self) -> RunStatus {
        let fold = |status, event: &RunEvent| status_after(status, event.event.event_type());
        self.tombstone.map_or_else(
            || self.log.iter().fold(RunStatus::Pending, fold),
            |(_, status, _)| status,
        )
    }

    fn record(&self, run: &RunKey) -> RunRecord {
        RunRecord {
            run: run.clone(),
            metadata: self.metadata.clone(),
            provider_ref: self.provider_ref.clone(),
            status: self.status(),
            head: self.head(),
            delivered_seq: self.cursor,
            created_at: self.created_at,
            pruned_at: self.tombstone.map(|(pruned_at, _, _)| pruned_at),
        }
    }
}

impl Model {
    pub(super) fn new(judges: bool) -> Self {
        Self {
            judges,
            now: model_start(),
            runs: BTreeMap::new(),
            destination: None,
            last_retarget: None,
        }
    }

    /// The moment so many steps ago.
    pub(super) fn earlier(&self, steps: u32) -> Timestamp {
        let age = self
            .now
            .saturating_since(model_start())
            .saturating_sub(STEP * steps);
        model_start().saturating_add(age)
    }

    /// The reply to a call. Where several replies are right, since runs became due together, `claimed` tells which
    /// runs the store chose.
    pub(super) fn predict(&mut self, call: &Call, claimed: &[RunKey]) -> String {
        match call {
            Call::Bootstrap(request) => text(self.bootstrap(request)),
            Call::Append(requests) => text(self.append_batch(requests)),
            Call::GetRun(run) => text(self.run(run).map(|entry| entry.record(run))),
            Call::ListRuns(query) => text(Ok::<_, StoreError>(self.list_runs(query))),
            Call::ListTenants(after, limit) => {
                let tenants: BTreeSet<_> = self.runs.keys().map(|run| &run.tenant_id).collect();
                let later = |tenant: &&&_| after.as_ref().is_none_or(|after| **tenant > after);
                let page: Vec<_> = tenants.iter().filter(later).take(*limit as usize).collect();
                text(Ok::<_, StoreError>(page))
            }
            Call::ListEvents(run, after, limit) => text(self.list_events(run, *after, *limit)),
            Call::SaveProviderRef(run, provider_ref) => {
                let saved = self.live_run(run);
                text(saved.map(|entry| entry.provider_ref = Some(provider_ref.clone())))
            }
            Call::LoadCheckpoint(run) => text(self.run(run).map(|entry| entry.checkpoint.clone())),
            Call::SaveCheckpoint(run, checkpoint) => text(self.save_checkpoint(run, checkpoint)),
            Call::Prune(run) => text(self.prune(run)),
            Call::Claim(request) => self.claim(request, claimed),
            Call::Extend(grants, by) => self.extend(grants, *by),
            Call::MarkDelivered(marks) => self.mark_delivered(marks),
            Call::MarkFailed(grant, seq, error, policy) => {
                text(self.mark_failed(grant, *seq, error, policy))
            }
            Call::Release(grants) => self.release(grants),
            Call::ListPending(query) => self.list_pending(query),
            Call::ListDeadLetters(query) => self.list_dead_letters(query),
            Call::Resolve(run, number, kind, note) => text(self.resolve(run, *number, *kind, note)),
            Call::Park(run, note) => text(self.park(run, note)),
            Call::Bind(destination) => text(self.bind(destination)),
            Call::Retarget(from, to, note) => text(self.retarget(from, to, note)),
            Call::Stats => self.stats(),
            Call::Advance(steps) => {
                self.now = self.now.saturating_add(STEP * *steps);
                String::new()
            }
        }
    }

    fn run(&self, run: &RunKey) -> Result<&ModelRun, StoreError> {
        self.runs
            .get(run)
            .ok_or_else(|| StoreError::RunNotFound { run: run.clone() })
    }

    fn live_run(&mut self, run: &RunKey) -> Result<&mut ModelRun, StoreError> {
        let entry = self.runs.get_mut(run);
        let entry = entry.ok_or_else(|| StoreError::RunNotFound { run: run.clone() })?;
        match entry.tombstone {
            Some((pruned_at, _, _)) => Err(StoreError::RunPruned {
                run: run.clone(),
                pruned_at,
            }),
            None => Ok(entry),
        }
    }

    fn bootstrap(&mut self, request: &BootstrapRequest) -> Result<BootstrapOutcome, StoreError> {
        let run = &request.run;
        if self.judges {
            judge(run, &[], &request.events)?;
        }
        let created = !self.runs.contains_key(run);
        if created {
            let fresh = ModelRun {
                metadata: request.metadata.clone(),
                provider_ref: None,
                created_at: self.now,
                log: Vec::new(),
                tombstone: None,
                checkpoint: None,
                cursor: 0,
                due: None,
                claim_no: 0,
                lease_until: None,
                attempts: 0,
                unfinished_claims: 0,
                last_error: None,
                dead: Vec::new(),
            };
            self.runs.insert(run.clone(), fresh);
        } else {
            let entry = self.live_run(run)?;
            let mut seen = BTreeSet::new();
            let known = request.events.iter().all(|event| {
                let first_use = seen.insert(event.idempotency_key().clone());
                !first_use
                    || entry.log.iter().any(|stored| {
                        stored.event.idempotency_key() == event.idempotency_key()
                            && stored.event.same_content(event)
                    })
            });
            if entry.metadata != request.metadata || !known {
                return Err(StoreError::RunAlreadyExists { run: run.clone() });
            }
        }
        let events = request.events.clone();
        let outcome = self.append_to(&AppendRequest::new(run.clone(), events), false)?;
        let created_at = self.run(run)?.created_at;
        Ok(BootstrapOutcome {
            created,
            created_at,
            events: outcome.events,
        })
    }

    fn append_batch(
        &mut self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        if let Some(index) = requests
            .iter()
            .position(|request| request.events.is_empty())
        {
            return Err(InvalidCall::EmptyRequest { index }.into());
        }
        let found = requests.iter().map(|request| request.events.len()).sum();
        if found > MAX_CALL_EVENTS {
            return Err(InvalidCall::TooManyEvents { found }.into());
        }
        Ok(requests
            .iter()
            .map(|request| self.append_to(request, self.judges))
            .collect())
    }

    fn append_to(
        &mut self,
        request: &AppendRequest,
        judges: bool,
    ) -> Result<AppendOutcome, AppendError> {
        let run = request.run.clone();
        let now = self.now;
        let Some(entry) = self.runs.get_mut(&run) else {
            return Err(AppendError::RunNotFound { run });
        };
        if let Some((pruned_at, _, _)) = entry.tombstone {
            return Err(AppendError::RunPruned { run, pruned_at });
        }
        let head = entry.head();
        let mut log = entry.log.clone();
        let mut events = Vec::new();
        for event in &request.events {
            let key = event.idempotency_key();
            let known = log
                .iter()
                .find(|stored| stored.event.idempotency_key() == key)
                .cloned();
            let stored = known.clone().unwrap_or_else(|| RunEvent {
                run_seq: log.len() as u64 + 1,
                persisted_at: now,
                event: event.clone(),
            });
            let same_content = event.same_content(&stored.event);
            if known.is_none() {
                log.push(stored.clone());
                events.push(Appended {
                    stored,
                    disposition: Disposition::Appended,
                });
                continue;
            }
            if !same_content && request.on_conflict == ConflictPolicy::Reject {
                let stored = (stored.run_seq <= head).then(|| Box::new(stored));
                let idempotency_key = key.clone();
                return Err(AppendError::IdempotencyConflict {
                    run,
                    idempotency_key,
                    stored,
                });
            }
            events.push(Appended {
                stored,
                disposition: Disposition::Duplicate { same_content },
            });
        }
        match request.expected {
            Expected::At(expected) if log.len() as u64 > head && expected != head => {
                Err(AppendError::VersionConflict {
                    run,
                    expected,
                    actual: head,
                })
            }
            _ => {
                if judges {
                    let (before, fresh) = log.split_at(entry.log.len());
                    let fresh: Vec<_> = fresh.iter().map(|stored| stored.event.clone()).collect();
                    judge(&run, before, &fresh)?;
                }
                entry.log = log;
                entry.make_due(now);
                Ok(AppendOutcome {
                    head: entry.head(),
                    events,
                })
            }
        }
    }

    fn list_runs(&self, query: &RunQuery) -> Vec<RunRecord> {
        self.runs
            .iter()
            .filter(|(run, _)| run.tenant_id == query.tenant_id)
            .filter(|(run, _)| query.after.as_ref().is_none_or(|after| run.run_id > *after))
            .map(|(run, entry)| entry.record(run))
            .filter(|record| query.status.is_none_or(|status| status == record.status))
            .filter(|record| {
                let RunMetadata {
                    project_id,
                    environment_id,
                    ..
                } = &record.metadata;
                query.project_id.as_ref().is_none_or(|id| id == project_id)
                    && query
                        .environment_id
                        .as_ref()
                        .is_none_or(|id| id == environment_id)
                    && query
                        .created_since
                        .is_none_or(|since| since <= record.created_at)
                    && query
                        .created_before
                        .is_none_or(|before| record.created_at < before)
                    && query
                        .pruned
                        .is_none_or(|pruned| pruned == record.pruned_at.is_some())
            })
            .take(query.limit as usize)
            .collect()
    }

    fn list_events(&self, run: &RunKey, after: u64, limit: u32) -> Result<EventPage, StoreError> {
        let entry = self.run(run)?;
        let later = entry.log.iter().filter(|event| event.run_seq > after);
        Ok(EventPage {
            head: entry.head(),
            pruned_at: entry.tombstone.map(|(pruned_at, _, _)| pruned_at),
            events: later.take(limit as usize).cloned().collect(),
        })
    }

    fn save_checkpoint(
        &mut self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        let entry = self.live_run(run)?;
        let (run_seq, head) = (checkpoint.run_seq, entry.head());
        if run_seq > head {
            return Err(InvalidCall::CheckpointBeyondHead {
                run: run.clone(),
                run_seq,
                head,
            }
            .into());
        }
        match &entry.checkpoint {
            Some(stored) if stored.run_seq > run_seq => Ok(SaveOutcome::Superseded {
                stored: stored.run_seq,
            }),
            _ => {
                entry.checkpoint = Some(checkpoint.clone());
                Ok(SaveOutcome::Saved)
            }
        }
    }

    fn prune(&mut self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        let now = self.now;
        let Some(entry) = self.runs.get_mut(run) else {
            return Err(StoreError::RunNotFound { run: run.clone() });
        };
        if let Some((pruned_at, _, _)) = entry.tombstone {
            return Ok(PruneOutcome {
                pruned_at,
                removed: 0,
            });
        }
        let (status, head) = (entry.status(), entry.head());
        if !status.is_terminal() || entry.cursor < head {
            let (run, delivered_seq) = (run.clone(), entry.cursor);
            return Err(StoreError::NotPrunable {
                run,
                status,
                delivered_seq,
                head,
            });
        }
        entry.tombstone = Some((now, status, head));
        entry.log.clear();
        entry.checkpoint = None;
        Ok(PruneOutcome {
            pruned_at: now,
            removed: head,
        })
    }
}

/// Whether the strict face takes these events after those.
fn judge(run: &RunKey, log: &[RunEvent], events: &[Event]) -> Result<(), AppendError> {
    let mut state = RunState::new();
    log.iter().for_each(|stored| state.fold(stored));
    let mut keys = BTreeSet::new();
    for event in events {
        if !keys.insert(event.idempotency_key()) {
            continue;
        }
        state
            .judge(event)
            .map_err(|illegal| AppendError::IllegalTransition {
                run: run.clone(),
                illegal: Box::new(illegal),
            })?;
        state.fold(&RunEvent {
            run_seq: state.last_seq() + 1,
            persisted_at: event.emitted_at(),
            event: event.clone(),
        });
    }
    Ok(())
}
