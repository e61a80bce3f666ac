//! A store in memory whose appends wait for a word, and do as they are told.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dvt_adapter_memory::MemoryStore;
use dvt_conformance::async_trait;
use dvt_conformance::fixture::{metadata, run};
use dvt_contracts::*;
use tokio::sync::Semaphore;

/// What becomes of a call.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// What it says.
    Do,
    /// Nothing.
    Fail(ErrorClass),
    /// Nothing, and that late.
    FailAfter(Duration, ErrorClass),
    /// What it says, and nobody hears of it.
    DoAndFail(ErrorClass),
    /// What it says, after somebody else has appended this.
    DoAfter(Event),
    /// The end of the task.
    Panic,
}

type Script = Box<dyn Fn(&[AppendRequest]) -> Verdict + Send>;

#[derive(Clone)]
pub(crate) struct Slow {
    pub(crate) memory: MemoryStore,
    shared: Arc<Shared>,
    /// The pages that were read first, where each reader gets those for ever.
    old_pages: Option<Arc<Mutex<Pages>>>,
    loses_checkpoints: bool,
}

type Pages = HashMap<(RunKey, u64), EventPage>;

struct Shared {
    gate: Semaphore,
    /// The requests of each call, in order.
    calls: Mutex<Vec<usize>>,
    /// The runs of the appends that are under way, and whether one was ever there twice.
    under_way: Mutex<Vec<Vec<RunKey>>>,
    overlaps: AtomicBool,
    pages: AtomicUsize,
    saves: AtomicUsize,
    script: Mutex<Script>,
}

/// An append that is under way, until it is dropped.
struct UnderWay<'a>(&'a Shared, Vec<RunKey>);

impl<'a> UnderWay<'a> {
    fn new(shared: &'a Shared, requests: &[AppendRequest]) -> Self {
        let mut runs: Vec<_> = requests.iter().map(|request| request.run.clone()).collect();
        runs.sort();
        runs.dedup();
        let mut under_way = shared.under_way.lock().unwrap();
        if under_way.iter().flatten().any(|run| runs.contains(run)) {
            shared.overlaps.store(true, Ordering::SeqCst);
        }
        under_way.push(runs.clone());
        Self(shared, runs)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way.lock().unwrap();
        if let Some(at) = under_way.iter().position(|runs| *runs == self.1) {
            under_way.swap_remove(at);
        }
    }
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slow")
    }
}

impl Slow {
    /// Its appends wait until it is opened.
    pub(crate) fn new() -> Self {
        Self {
            memory: MemoryStore::new(),
            shared: Arc::new(Shared {
                gate: Semaphore::new(0),
                calls: Mutex::default(),
                under_way: Mutex::default(),
                overlaps: AtomicBool::default(),
                pages: AtomicUsize::default(),
                saves: AtomicUsize::default(),
                script: Mutex::new(Box::new(|_| Verdict::Do)),
            }),
            old_pages: None,
            loses_checkpoints: false,
        }
    }

    /// The same store, whose checkpoints nobody finds.
    pub(crate) fn without_checkpoints(self) -> Self {
        Self {
            loses_checkpoints: true,
            ..self
        }
    }

    /// The same store, read through a cache that is never refreshed.
    pub(crate) fn with_old_pages(self) -> Self {
        Self {
            old_pages: Some(Arc::default()),
            ..self
        }
    }

    /// Makes runs in it.
    pub(crate) async fn with_runs(self, run_ids: &[&str]) -> Self {
        for run_id in run_ids {
            let request = BootstrapRequest {
                run: run(run_id),
                metadata: metadata(),
                events: Vec::new(),
            };
            self.memory.bootstrap_run(&request).await.unwrap();
        }
        self
    }

    /// The keys of a run's log.
    pub(crate) async fn keys(&self, run_id: &str) -> Vec<String> {
        let mut keys = Vec::new();
        loop {
            let after = keys.len() as u64;
            let page = self.memory.list_events(&run(run_id), after, MAX_PAGE).await;
            let page = page.unwrap();
            let is_last = page.is_last(after);
            let events = page.events.into_iter();
            keys.extend(events.map(|event| event.event.idempotency_key().to_string()));
            if is_last {
                return keys;
            }
        }
    }

    /// How many appends are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.shared.under_way.lock().unwrap().len()
    }

    /// Whether two appends to one run were ever under way at once.
    pub(crate) fn overlaps(&self) -> bool {
        self.shared.overlaps.load(Ordering::SeqCst)
    }

    /// How many pages of events were read.
    pub(crate) fn pages(&self) -> usize {
        self.shared.pages.load(Ordering::SeqCst)
    }

    /// How many checkpoints were saved.
    pub(crate) fn saves(&self) -> usize {
        self.shared.saves.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) {
        self.shared.gate.add_permits(1_000_000);
    }

    /// Its appends wait again.
    pub(crate) fn close(&self) {
        self.shared.gate.forget_permits(usize::MAX);
    }

    pub(crate) fn let_one_through(&self) {
        self.shared.gate.add_permits(1);
    }

    pub(crate) fn calls(&self) -> Vec<usize> {
        self.shared.calls.lock().unwrap().clone()
    }

    pub(crate) fn set(&self, script: impl Fn(&[AppendRequest]) -> Verdict + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }
}

fn failed(class: ErrorClass) -> StoreError {
    match class {
        ErrorClass::Transient => StoreError::transient("append_batch", "as it was told"),
        ErrorClass::Unknown => StoreError::unknown("append_batch", "as it was told"),
        ErrorClass::Bug => StoreError::bug("append_batch", "as it was told"),
        _ => StoreError::refused("append_batch", "as it was told"),
    }
}

#[async_trait]
impl RunStateStore for Slow {
    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        self.shared.calls.lock().unwrap().push(requests.len());
        let _under_way = UnderWay::new(&self.shared, requests);
        self.shared.gate.acquire().await.unwrap().forget();
        let verdict = (self.shared.script.lock().unwrap())(requests);
        match verdict {
            Verdict::Do => self.memory.append_batch(requests).await,
            Verdict::Fail(class) => Err(failed(class)),
            Verdict::FailAfter(time, class) => {
                tokio::time::sleep(time).await;
                Err(failed(class))
            }
            Verdict::DoAndFail(class) => {
                self.memory.append_batch(requests).await?;
                Err(failed(class))
            }
            Verdict::DoAfter(event) => {
                let before = AppendRequest::new(requests[0].run.clone(), vec![event]);
                self.memory.append_and_enqueue(before).await?;
                self.memory.append_batch(requests).await
            }
            Verdict::Panic => panic!("as it was told"),
        }
    }
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        self.memory.bootstrap_run(request).await
    }
    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        self.memory.get_run(run).await
    }
    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        self.memory.list_runs(query).await
    }
    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.memory.list_tenants(after, limit).await
    }
    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.shared.pages.fetch_add(1, Ordering::SeqCst);
        let page = self.memory.list_events(run, after_seq, limit).await?;
        let Some(old_pages) = &self.old_pages else {
            return Ok(page);
        };
        let mut old_pages = old_pages.lock().unwrap();
        Ok(old_pages
            .entry((run.clone(), after_seq))
            .or_insert(page)
            .clone())
    }
    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        self.memory.save_provider_ref(run, provider_ref).await
    }
    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        if self.loses_checkpoints {
            return Ok(None);
        }
        self.memory.load_checkpoint(run).await
    }
    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        self.shared.saves.fetch_add(1, Ordering::SeqCst);
        self.memory.save_checkpoint(run, checkpoint).await
    }
    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        self.memory.prune_run(run).await
    }
}

#[async_trait]
impl OutboxStorage for Slow {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        self.memory.claim(request).await
    }
    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        self.memory.extend(leases, by).await
    }
    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.memory.mark_delivered(acknowledgements).await
    }
    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        self.memory.mark_failed(lease, seq, error, policy).await
    }
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.memory.release(leases).await
    }
    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        self.memory.list_pending(query).await
    }
    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.memory.list_dead_letters(query).await
    }
    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.memory
            .retry_dead_letter(run, dead_letter_no, note)
            .await
    }
    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.memory
            .skip_dead_letter(run, dead_letter_no, note)
            .await
    }
    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        self.memory.park_run(run, note).await
    }
    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        self.memory.bind_destination(destination).await
    }
    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        self.memory.retarget(from, to, note).await
    }
    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        self.memory.stats().await
    }
}
