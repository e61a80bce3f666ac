//! A relay's way to the store: it has its delays, refusals and lost replies, and stands still with the relay.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterQuery, Destination,
    FailOutcome, Lease, LeaseError, OperatorNote, OutboxError, OutboxStats, OutboxStorage,
    PendingQuery, PendingRun, RetryPolicy, RunKey, SafeText,
};
use tokio::time::{Instant, sleep};

use crate::desk::Desk;
use crate::gate::Gate;
use crate::stage::Stage;

#[derive(Debug)]
pub(crate) struct Link {
    desk: Arc<Desk>,
    stage: Arc<Stage>,
    gate: Gate,
    /// Until when the relay may take its leases for standing, by claim.
    known: Mutex<HashMap<(RunKey, u64), Instant>>,
}

/// What becomes of one call.
struct Fate {
    before: Duration,
    after: Duration,
    refused: bool,
    unanswered: bool,
}

impl Link {
    pub(crate) fn new(desk: &Arc<Desk>, stage: &Arc<Stage>, gate: &Gate) -> Arc<Self> {
        Arc::new(Self {
            desk: Arc::clone(desk),
            stage: Arc::clone(stage),
            gate: gate.clone(),
            known: Mutex::default(),
        })
    }

    /// Until when the lease of this claim stands, as far as the relay can know.
    pub(crate) fn stands_until(&self, run: &RunKey, claim_no: u64) -> Option<Instant> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(run.clone(), claim_no)).copied()
    }

    fn learn(&self, lease: &Lease, until: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry((lease.run.clone(), lease.claim_no));
        let latest = known.or_insert(until);
        *latest = until.max(*latest);
    }

    fn fate(&self) -> Fate {
        let mut state = self.stage.state();
        if !state.store_is_rough {
            let after = Duration::from_millis(state.rng.u64(0..3));
            return Fate {
                before: Duration::ZERO,
                after,
                refused: false,
                unanswered: false,
            };
        }
        // Now and then longer than a lease.
        let longest = [20, 200, 3_000][state.rng.usize(0..3)];
        let mut wait = || Duration::from_millis(state.rng.u64(0..longest));
        let (before, after) = (wait(), wait());
        let lot = state.rng.u8(0..6);
        let fate = Fate {
            before,
            after,
            refused: lot == 0,
            unanswered: lot == 1,
        };
        match lot {
            0 => state.book.tally.count("calls the store refused"),
            1 => state.book.tally.count("replies of the store lost"),
            _ => {}
        }
        fate
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, OutboxError>>,
    ) -> Result<T, OutboxError> {
        self.gate.pass().await;
        let fate = self.fate();
        sleep(fate.before).await;
        if fate.refused {
            self.gate.pass().await;
            return Err(OutboxError::transient(operation, "rough"));
        }
        let reply = work.await;
        sleep(fate.after).await;
        self.gate.pass().await;
        match fate.unanswered {
            true => Err(OutboxError::unknown(operation, "rough")),
            false => reply,
        }
    }
}

#[async_trait]
impl OutboxStorage for Link {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        let until = Instant::now() + request.lease;
        let claimed = self.call("claim", self.desk.claim(request)).await?;
        for one in &claimed {
            self.learn(&one.lease, until);
        }
        Ok(claimed)
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        let until = Instant::now() + by;
        let replies = self.call("extend", self.desk.extend(leases, by)).await?;
        for lease in replies.iter().flatten() {
            self.learn(lease, until);
        }
        Ok(replies)
    }

    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let work = self.desk.mark_delivered(acknowledgements);
        self.call("mark_delivered", work).await
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let work = self.desk.mark_failed(lease, seq, error, policy);
        self.call("mark_failed", work).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.call("release", self.desk.release(leases)).await
    }

    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError> {
        self.desk.store().bind_destination(destination).await
    }

    // What follows no relay calls.

    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError> {
        self.desk.store().list_pending(query).await
    }

    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        self.desk.store().list_dead_letters(query).await
    }

    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.desk.store().retry_dead_letter(run, no, note).await
    }

    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        self.desk.store().skip_dead_letter(run, no, note).await
    }

    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        self.desk.store().park_run(run, note).await
    }

    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        self.desk.store().retarget(from, to, note).await
    }

    async fn stats(&self) -> Result<OutboxStats, OutboxError> {
        self.desk.store().stats().await
    }
}
