//! Where all calls reach the store: each is one step of time, and goes into the book with its answer.

use std::sync::Arc;
use std::time::Duration;

use dvt_adapter_memory::MemoryStore;
use dvt_conformance::fixture;
use dvt_contracts::{
    Acknowledgement, AppendRequest, BootstrapRequest, ClaimRequest, ClaimedRun, DeadLetter,
    DeadLetterQuery, FailOutcome, Lease, LeaseError, OperatorNote, OutboxError, OutboxStorage as _,
    RetryPolicy, RunKey, RunStateStore as _, SafeText,
};

use crate::planted::PlantedStore;
use crate::stage::Stage;
use crate::violation::Invariant;

#[derive(Debug)]
pub(crate) struct Desk {
    store: PlantedStore,
    stage: Arc<Stage>,
}

impl Desk {
    pub(crate) fn new(stage: &Arc<Stage>) -> Arc<Self> {
        Arc::new(Self {
            store: PlantedStore::new(stage.clock(), stage.bug),
            stage: Arc::clone(stage),
        })
    }

    /// The store itself, to look at.
    pub(crate) fn store(&self) -> &MemoryStore {
        &self.store.memory
    }

    pub(crate) async fn bootstrap(&self, run: &RunKey) {
        self.stage.now();
        let request = BootstrapRequest {
            run: run.clone(),
            metadata: fixture::metadata(),
            events: Vec::new(),
        };
        self.store.memory.bootstrap_run(&request).await.unwrap();
        self.stage.state().book.run(run);
    }

    pub(crate) async fn append(&self, request: &AppendRequest) {
        self.stage.now();
        let outcome = self.store.append(request).await.unwrap().unwrap();
        let run = &request.run;
        let mut state = self.stage.state();
        for (event, appended) in request.events.iter().zip(&outcome.events) {
            let key = event.idempotency_key().as_str();
            let (seq, repeated) = (appended.stored.run_seq, appended.is_duplicate());
            state
                .trace
                .note(format_args!("append {run} {key}: {seq}, again: {repeated}"));
            let told = state.book.run(run).told.insert(key.to_owned(), seq);
            let same = told.is_none_or(|told| told == seq) && told.is_some() == repeated;
            state.book.check(same, Invariant::GaplessLog, || {
                format!("{key} of {run} was {told:?} and is {seq}, again: {repeated}")
            });
            state.book.tally.count(if repeated {
                "appends repeated"
            } else {
                "appends"
            });
        }
    }

    pub(crate) async fn claim(
        &self,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, OutboxError> {
        let now = self.stage.now();
        let claimed = self.store.claim(request).await?;
        let mut state = self.stage.state();
        for one in &claimed {
            let (run, claim_no, last) = (&one.lease.run, one.lease.claim_no, one.lease.last_seq);
            let first = one.events.first().map_or(0, |event| event.run_seq);
            state
                .trace
                .note(format_args!("claim {claim_no} of {run}: {first} to {last}"));
            state.book.claimed(one, now);
        }
        Ok(claimed)
    }

    pub(crate) async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        let now = self.stage.now();
        let replies = self.store.extend(leases, by).await?;
        let mut state = self.stage.state();
        for (lease, reply) in leases.iter().zip(&replies) {
            let (run, claim_no, ok) = (&lease.run, lease.claim_no, reply.is_ok());
            state
                .trace
                .note(format_args!("extend {claim_no} of {run}: {ok}"));
            state.book.extended(lease, reply, now);
        }
        Ok(replies)
    }

    pub(crate) async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.stage.now();
        let replies = self.store.mark_delivered(acknowledgements).await?;
        let mut state = self.stage.state();
        for (done, reply) in acknowledgements.iter().zip(&replies) {
            let (run, claim_no) = (&done.lease.run, done.lease.claim_no);
            let (through, ok) = (done.through, reply.is_ok());
            state.trace.note(format_args!(
                "acknowledge {claim_no} of {run}: {through}, {ok}"
            ));
            state.book.acknowledged(&done.lease, through, reply);
        }
        Ok(replies)
    }

    pub(crate) async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let now = self.stage.now();
        let reply = self.store.mark_failed(lease, seq, error, policy).await;
        let mut state = self.stage.state();
        let (run, claim_no) = (&lease.run, lease.claim_no);
        state.trace.note(format_args!(
            "fail {seq} under {claim_no} of {run}: {error}, {reply:?}"
        ));
        match &reply {
            Ok(outcome) => state.book.failed(lease, seq, policy, Ok(*outcome), now),
            Err(OutboxError::Lease(error)) => {
                state.book.failed(lease, seq, policy, Err(error), now);
            }
            Err(_) => {}
        }
        reply
    }

    pub(crate) async fn release(
        &self,
        leases: &[Lease],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.stage.now();
        let replies = self.store.memory.release(leases).await?;
        let mut state = self.stage.state();
        for (lease, reply) in leases.iter().zip(&replies) {
            let (run, claim_no, ok) = (&lease.run, lease.claim_no, reply.is_ok());
            state
                .trace
                .note(format_args!("release {claim_no} of {run}: {ok}"));
            state.book.released(lease, reply);
        }
        Ok(replies)
    }

    /// Parks a run by hand, if anything of it is pending and it is not parked.
    pub(crate) async fn park(&self, run: &RunKey) {
        self.stage.now();
        if self.stage.state().book.run(run).parked {
            return;
        }
        if let Ok(letter) = self.store.memory.park_run(run, &fixture::by_ann()).await {
            self.resolved(&letter, |book| book.parked(&letter));
        }
    }

    pub(crate) async fn open_letters(&self) -> Vec<DeadLetter> {
        let query = DeadLetterQuery {
            open_only: true,
            ..DeadLetterQuery::default()
        };
        self.store.memory.list_dead_letters(&query).await.unwrap()
    }

    /// Lets the event of an open dead letter go out again, or gives it up.
    pub(crate) async fn resolve(&self, letter: &DeadLetter, skip: bool) {
        self.stage.now();
        let (run, no, note) = (
            &letter.run,
            letter.dead_letter_no,
            OperatorNote::new("sim", "."),
        );
        let letter = match skip {
            true => self.store.memory.skip_dead_letter(run, no, &note).await,
            false => self.store.memory.retry_dead_letter(run, no, &note).await,
        };
        let letter = letter.unwrap();
        self.resolved(&letter, |book| book.resolved(&letter));
    }

    fn resolved(&self, letter: &DeadLetter, into: impl FnOnce(&mut crate::book::Book)) {
        let mut state = self.stage.state();
        let end = letter.resolution.as_ref().map(|end| end.kind);
        let (run, seq) = (&letter.run, letter.run_seq);
        state
            .trace
            .note(format_args!("operator: {run} {seq} is {end:?}"));
        into(&mut state.book);
    }
}
