use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::*;

use super::past::Past;

/// A store with a bug.
#[derive(Debug)]
pub(super) struct PlantedStore {
    bug: String,
    store: Arc<dyn Store>,
    past: Past,
    calls: AtomicU64,
    heads: Mutex<HashMap<RunKey, u64>>,
    pages: Mutex<HashMap<(RunKey, u64), EventPage>>,
}

type Appends = Result<Vec<Result<AppendOutcome, AppendError>>, StoreError>;

impl PlantedStore {
    pub(super) fn new(bug: &str, store: Arc<dyn Store>, past: Past) -> Self {
        Self {
            bug: bug.to_owned(),
            store,
            past,
            calls: AtomicU64::new(0),
            heads: Mutex::default(),
            pages: Mutex::default(),
        }
    }

    fn has(&self, bug: &str) -> bool {
        self.bug == bug
    }

    fn is_one_of(&self, many: u64) -> bool {
        self.calls
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(many)
    }

    /// The reply that there would be if everything had been appended where the run ended last.
    fn made_up(&self, requests: &[AppendRequest]) -> Appends {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let replies = requests.iter().map(|request| {
            let head = heads.entry(request.run.clone()).or_default();
            let events = request.events.iter().map(|event| {
                *head += 1;
                let stored = RunEvent {
                    run_seq: *head,
                    persisted_at: Timestamp::now(),
                    event: event.clone(),
                };
                Appended {
                    stored,
                    disposition: Disposition::Appended,
                }
            });
            let events = events.collect();
            Ok(AppendOutcome {
                head: *head,
                events,
            })
        });
        Ok(replies.collect())
    }

    fn note_heads(&self, requests: &[AppendRequest], replies: &Appends) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        for (request, reply) in requests.iter().zip(replies.iter().flatten()) {
            if let Ok(outcome) = reply {
                heads.insert(request.run.clone(), outcome.head);
            }
        }
    }

    /// Appends under other keys, and answers as if it were under those that were asked for.
    async fn under_fresh_keys(&self, requests: &[AppendRequest]) -> Appends {
        let mut fresh = requests.to_vec();
        for event in fresh.iter_mut().flat_map(|request| &mut request.events) {
            let Ok(key) = format!("{}~2", event.idempotency_key().as_str()).parse() else {
                continue;
            };
            let step = event.step_id().cloned();
            if let Ok(renamed) =
                Event::new(event.event_type().clone(), step, key, event.emitted_at())
            {
                *event = renamed.with_payload(event.payload().clone());
            }
        }
        let mut replies = self.store.append_batch(&fresh).await?;
        for (request, reply) in requests.iter().zip(&mut replies) {
            for (event, appended) in request
                .events
                .iter()
                .zip(reply.iter_mut().flat_map(|outcome| &mut outcome.events))
            {
                appended.stored.event = event.clone();
            }
        }
        Ok(replies)
    }

    async fn store_again(&self, requests: &[AppendRequest], replies: &Appends) {
        for (request, reply) in requests.iter().zip(replies.iter().flatten()) {
            if let Ok(outcome) = reply
                && outcome.events.iter().any(|event| !event.is_duplicate())
            {
                self.past
                    .on_run(STORE_AGAIN, &request.run, outcome.head)
                    .await;
            }
        }
    }
}

const STORE_AGAIN: &str = "WITH head AS (UPDATE dvt.outbox SET last_seq = last_seq + 1, due_at = coalesce(due_at, clock_timestamp()) \
     WHERE tenant_id = $1 AND run_id = $2 AND parked_at IS NULL AND pruned_at IS NULL RETURNING last_seq) \
     INSERT INTO dvt.run_events SELECT e.tenant_id, e.run_id, head.last_seq, e.event_type, e.step_id, e.logical_attempt, \
     e.engine_attempt, e.idempotency_key, e.emitted_at, clock_timestamp(), e.payload, e.payload_size \
     FROM dvt.run_events AS e, head WHERE e.tenant_id = $1 AND e.run_id = $2 AND e.run_seq = $3";
const MARK: &str = "UPDATE dvt.outbox SET delivered_seq = greatest(delivered_seq, $3), lease_token = NULL, lease_expires_at = NULL, \
     attempts = 0, unfinished_claims = 0, pending_since = NULL, \
     due_at = CASE WHEN greatest(delivered_seq, $3) < last_seq THEN clock_timestamp() END \
     WHERE tenant_id = $1 AND run_id = $2 AND parked_at IS NULL";
const CHARGE: &str = "UPDATE dvt.outbox SET attempts = attempts + 1 \
     WHERE tenant_id = $1 AND run_id = $2 AND attempts > 0 AND delivered_seq + 1 = $3 AND parked_at IS NULL";
const TAKE_LEASES: &str = "UPDATE dvt.outbox SET due_at = clock_timestamp() WHERE lease_expires_at > clock_timestamp() AND due_at IS NOT NULL";
const PRUNE: &str = "WITH run AS (SELECT tenant_id, run_id FROM dvt.outbox WHERE delivered_seq < last_seq AND parked_at IS NULL \
     AND pruned_at IS NULL ORDER BY last_seq - delivered_seq DESC LIMIT 1) \
     UPDATE dvt.outbox AS o SET delivered_seq = last_seq, due_at = NULL, lease_token = NULL, lease_expires_at = NULL, \
     pending_since = NULL, attempts = 0, unfinished_claims = 0, pruned_at = clock_timestamp() \
     FROM run WHERE o.tenant_id = run.tenant_id AND o.run_id = run.run_id";
const REMOVE: &str = "DELETE FROM dvt.run_events AS e USING dvt.outbox AS o \
     WHERE o.tenant_id = e.tenant_id AND o.run_id = e.run_id AND o.pruned_at IS NOT NULL";
const FORGET: &str = "DELETE FROM dvt.outbox_dead_letters WHERE tenant_id = $1 AND run_id = $2 AND dead_letter_no = $3";

#[async_trait]
impl RunStateStore for PlantedStore {
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        self.store.bootstrap_run(request).await
    }

    async fn append_batch(&self, requests: &[AppendRequest]) -> Appends {
        if self.has("ignores-expected") {
            let anyway: Vec<_> = requests
                .iter()
                .map(|request| request.clone().expecting(Expected::Any))
                .collect();
            return self.store.append_batch(&anyway).await;
        }
        let replies = self.store.append_batch(requests).await;
        let is_unknown = matches!(&replies, Err(error) if error.class() == ErrorClass::Unknown);
        if self.has("acknowledges-unknown") {
            self.note_heads(requests, &replies);
            return if is_unknown {
                self.made_up(requests)
            } else {
                replies
            };
        }
        if self.has("retries-with-fresh-keys") && is_unknown {
            return self.under_fresh_keys(requests).await;
        }
        if self.has("fails-but-stores") && replies.is_ok() && self.is_one_of(40) {
            return Err(StoreError::transient("append_batch", "planted"));
        }
        if self.has("stores-twice") && self.is_one_of(10) {
            self.store_again(requests, &replies).await;
        }
        replies
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

    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let mut run = run.clone();
        if self.has("mixes-tenants") {
            let other = if run.tenant_id.as_str() == "alfa" {
                "beta"
            } else {
                "alfa"
            };
            run.tenant_id = other.parse().unwrap_or(run.tenant_id);
        }
        let page = self.store.list_events(&run, after_seq, limit).await?;
        if self.has("reads-old-pages") {
            let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(pages.entry((run, after_seq)).or_insert(page).clone());
        }
        Ok(page)
    }

    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        self.store.save_provider_ref(run, provider_ref).await
    }

    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        self.store.load_checkpoint(run).await
    }

    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        self.store.save_checkpoint(run, checkpoint).await
    }

    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        if self.has("prunes-pending") {
            self.past.execute(PRUNE).await;
            self.past.execute(REMOVE).await;
        }
        self.store.prune_run(run).await
    }
}

#[async_trait]
impl OutboxStorage for PlantedStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        if self.has("ignores-leases") {
            self.past.execute(TAKE_LEASES).await;
        }
        self.store.claim(request).await
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        self.store.extend(leases, by).await
    }

    async fn mark_delivered(
        &self,
        marks: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        if !self.has("marks-without-token") {
            return self.store.mark_delivered(marks).await;
        }
        let mut replies = Vec::new();
        for mark in marks {
            self.past.on_run(MARK, &mark.lease.run, mark.through).await;
            replies.push(Ok(()));
        }
        Ok(replies)
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let outcome = self.store.mark_failed(lease, seq, error, policy).await;
        if self.has("charges-twice") && outcome.is_ok() {
            self.past.on_run(CHARGE, &lease.run, seq).await;
        }
        outcome
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.store.release(leases).await
    }

    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        self.store.list_pending(query).await
    }

    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.store.list_dead_letters(query).await
    }

    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.store
            .retry_dead_letter(run, dead_letter_no, note)
            .await
    }

    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let dead = self.store.skip_dead_letter(run, dead_letter_no, note).await;
        if self.has("forgets-dead-letters") && dead.is_ok() {
            self.past.on_run(FORGET, run, dead_letter_no).await;
        }
        dead
    }

    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        self.store.park_run(run, note).await
    }

    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        self.store.bind_destination(destination).await
    }

    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        self.store.retarget(from, to, note).await
    }

    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        self.store.stats().await
    }
}
