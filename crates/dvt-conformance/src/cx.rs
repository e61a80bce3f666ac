use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{
    AppendOutcome, AppendRequest, BootstrapRequest, BoxError, ClaimRequest, ClaimedRun, DeadLetter,
    DeadLetterQuery, Event, FailOutcome, Lease, MAX_PAGE, OutboxError, PendingQuery, PendingRun,
    RunEvent, RunKey, RunStateStoreExt, Store, StoreError, Timestamp,
};

use crate::failure::{Failure, check, check_matches};
use crate::fixture::{self, LEASE};
use crate::harness::Harness;

/// What a case works with: an empty store, more handles on it, its clock, and short words for frequent calls.
pub struct Cx {
    /// The store under test.
    pub store: Arc<dyn Store>,
    space: Box<dyn Space>,
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// A harness and the place that it made, whatever their types.
#[async_trait]
trait Space: Send + Sync {
    async fn open(&self) -> Result<Arc<dyn Store>, BoxError>;
    async fn shift_clock(&self, seconds: i64) -> Result<(), BoxError>;
    #[cfg(feature = "faults")]
    async fn settle(&self) -> Result<(), BoxError>;
    async fn another(&self) -> Result<Cx, BoxError>;
    fn time_precision(&self) -> Duration;
    fn judges(&self) -> bool;
    fn histories(&self) -> u32;
    fn shrinks(&self) -> u32;
}

struct Bound<H: Harness> {
    harness: Arc<H>,
    space: H::Space,
}

#[async_trait]
impl<H: Harness> Space for Bound<H> {
    async fn open(&self) -> Result<Arc<dyn Store>, BoxError> {
        self.harness.open(&self.space).await
    }
    async fn shift_clock(&self, seconds: i64) -> Result<(), BoxError> {
        self.harness.shift_clock(&self.space, seconds).await
    }
    #[cfg(feature = "faults")]
    async fn settle(&self) -> Result<(), BoxError> {
        self.harness.settle(&self.space).await
    }
    async fn another(&self) -> Result<Cx, BoxError> {
        Cx::create(Arc::clone(&self.harness)).await
    }
    fn time_precision(&self) -> Duration {
        self.harness.time_precision()
    }
    fn judges(&self) -> bool {
        self.harness.judges()
    }
    fn histories(&self) -> u32 {
        self.harness.histories()
    }
    fn shrinks(&self) -> u32 {
        self.harness.shrinks()
    }
}

impl Cx {
    pub(crate) async fn create<H: Harness>(harness: Arc<H>) -> Result<Self, BoxError> {
        let space = harness.create().await?;
        let store = harness.open(&space).await?;
        Ok(Self {
            store,
            space: Box::new(Bound { harness, space }),
        })
    }

    /// A fresh, empty store of the same kind.
    pub(crate) async fn another(&self) -> Result<Self, Failure> {
        Ok(self.space.another().await?)
    }

    /// Another handle on the same store.
    pub(crate) async fn reopen(&self) -> Result<Arc<dyn Store>, Failure> {
        Ok(self.space.open().await?)
    }

    /// Moves the store's clock.
    pub(crate) async fn shift_clock(&self, seconds: i64) -> Result<(), Failure> {
        Ok(self.space.shift_clock(seconds).await?)
    }

    /// Waits until nothing is under way any more.
    #[cfg(feature = "faults")]
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        Ok(self.space.settle().await?)
    }

    pub(crate) fn time_precision(&self) -> Duration {
        self.space.time_precision()
    }

    pub(crate) fn judges(&self) -> bool {
        self.space.judges()
    }

    pub(crate) fn histories(&self) -> u32 {
        self.space.histories()
    }

    pub(crate) fn shrinks(&self) -> u32 {
        self.space.shrinks()
    }

    /// A run of the usual tenant without events.
    pub(crate) async fn run(&self, run_id: &str) -> Result<RunKey, Failure> {
        let run = fixture::run(run_id);
        self.bootstrap(&run, Vec::new()).await?;
        Ok(run)
    }

    /// A run of the usual tenant with `count` notes in its log, with the keys `k1`, `k2` …
    pub(crate) async fn run_with(&self, run_id: &str, count: usize) -> Result<RunKey, Failure> {
        let run = fixture::run(run_id);
        self.bootstrap(&run, fixture::notes(1, count)).await?;
        Ok(run)
    }

    /// Bootstraps with the usual metadata.
    pub(crate) async fn bootstrap(&self, run: &RunKey, events: Vec<Event>) -> Result<(), Failure> {
        self.store.bootstrap_run(&request(run, events)).await?;
        Ok(())
    }

    /// One unconditional append.
    pub(crate) async fn append(
        &self,
        run: &RunKey,
        events: Vec<Event>,
    ) -> Result<AppendOutcome, StoreError> {
        self.store
            .append_and_enqueue(AppendRequest::new(run.clone(), events))
            .await
    }

    /// The whole log of a run that fits a page.
    pub(crate) async fn log(&self, run: &RunKey) -> Result<Vec<RunEvent>, Failure> {
        Ok(self.store.list_events(run, 0, MAX_PAGE).await?.events)
    }

    /// The run's head.
    pub(crate) async fn head(&self, run: &RunKey) -> Result<u64, Failure> {
        Ok(self.store.get_run(run).await?.head)
    }

    /// Claims all that is due.
    pub(crate) async fn claim(&self) -> Result<Vec<ClaimedRun>, OutboxError> {
        self.store.claim(&fixture::claim_all()).await
    }

    /// Claims at most so many runs.
    pub(crate) async fn claim_runs(&self, max_runs: u32) -> Result<Vec<ClaimedRun>, OutboxError> {
        self.store
            .claim(&ClaimRequest {
                max_runs,
                ..fixture::claim_all()
            })
            .await
    }

    /// Claims all that is due, which must be this run alone.
    pub(crate) async fn claim_only(&self, run: &RunKey) -> Result<ClaimedRun, Failure> {
        let mut claimed = self.claim().await?;
        match (claimed.pop(), claimed.is_empty()) {
            (Some(only), true) if only.lease.run == *run => Ok(only),
            (other, _) => Err(Failure::new(format!(
                "expected a claim of run {run} alone, found {other:?} and {claimed:?}"
            ))),
        }
    }

    /// Fails one event with a policy of so many attempts and a back-off of 100 s, 200 s, 400 s …
    pub(crate) async fn fail(
        &self,
        lease: &Lease,
        seq: u64,
        max_attempts: u32,
    ) -> Result<FailOutcome, OutboxError> {
        let policy = fixture::policy(max_attempts);
        self.store
            .mark_failed(lease, seq, &"no luck".into(), &policy)
            .await
    }

    /// Claims the run alone and fails its first event for good.
    pub(crate) async fn kill(&self, run: &RunKey) -> Result<u64, Failure> {
        let claimed = self.claim_only(run).await?;
        let seq = claimed.events.first().map_or(0, |event| event.run_seq);
        match self.fail(&claimed.lease, seq, 1).await? {
            FailOutcome::Parked { dead_letter_no } => Ok(dead_letter_no),
            other => Err(Failure::new(format!(
                "expected the run to be parked, found {other:?}"
            ))),
        }
    }

    /// Claims all that is due and finds the leases of these runs in it.
    pub(crate) async fn leases<const N: usize>(
        &self,
        runs: [&RunKey; N],
    ) -> Result<[Lease; N], Failure> {
        let claimed = self.claim().await?;
        let found: Vec<_> = runs
            .iter()
            .filter_map(|run| claimed.iter().find(|one| one.lease.run == **run))
            .map(|one| one.lease.clone())
            .collect();
        found.try_into().map_err(|_| {
            Failure::new(format!(
                "expected a claim of the runs {runs:?}, found {claimed:?}"
            ))
        })
    }

    /// Claims the run alone and fails this event of it for good.
    pub(crate) async fn kill_at(&self, run: &RunKey, seq: u64) -> Result<(), Failure> {
        let lease = self.claim_only(run).await?.lease;
        let outcome = self.fail(&lease, seq, 1).await?;
        check_matches!(
            outcome,
            FailOutcome::Parked { dead_letter_no: 1 },
            "last attempt"
        );
        Ok(())
    }

    /// The first page of the runs with undelivered events.
    pub(crate) async fn pending(&self) -> Result<Vec<PendingRun>, OutboxError> {
        self.store.list_pending(&PendingQuery::default()).await
    }

    /// The first page of the dead letters.
    pub(crate) async fn letters(&self) -> Result<Vec<DeadLetter>, OutboxError> {
        self.store
            .list_dead_letters(&DeadLetterQuery::default())
            .await
    }

    /// Ends the case unless the moment lies so much later than a call made between two looks at the clock.
    pub(crate) fn check_moment(
        &self,
        found: Timestamp,
        later: Duration,
        [before, after]: [Timestamp; 2],
    ) -> Result<(), Failure> {
        let slack = self.space.time_precision();
        let (earliest, latest) = (
            before.saturating_add(later),
            after.saturating_add(later + slack),
        );
        check!(
            earliest <= found.saturating_add(slack) && found <= latest,
            "expected a moment from {earliest} to {latest}, found {found}"
        );
        Ok(())
    }

    /// Lets every lease of the usual length expire.
    pub(crate) async fn outlive_leases(&self) -> Result<(), Failure> {
        self.shift_clock(LEASE.as_secs().cast_signed() + 1).await
    }

    /// The store's clock, seen in the creation time of a run made for it.
    pub(crate) async fn now(&self, probe: &str) -> Result<Timestamp, Failure> {
        let run = fixture::run_of("clock", probe);
        Ok(self
            .store
            .bootstrap_run(&request(&run, Vec::new()))
            .await?
            .created_at)
    }
}

/// A bootstrap with the usual metadata.
pub(crate) fn request(run: &RunKey, events: Vec<Event>) -> BootstrapRequest {
    BootstrapRequest {
        run: run.clone(),
        metadata: fixture::metadata(),
        events,
    }
}
