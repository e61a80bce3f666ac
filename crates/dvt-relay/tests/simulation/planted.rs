//! The store as the relays' calls find it: right, or with one bug planted in it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_contracts::{
    Acknowledgement, AppendError, AppendOutcome, AppendRequest, Appended, ClaimRequest, ClaimedRun,
    Disposition, FailOutcome, Lease, LeaseError, OnExhausted, OutboxError, OutboxStorage as _,
    OutboxStorageExt as _, RetryPolicy, RunEvent, RunKey, RunStateStore as _, SafeText, StoreError,
    Timestamp,
};

/// What is wrong in the surroundings of the relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// An acknowledgement under a lease that has ended moves the cursor.
    StaleMarkAccepted,
    /// An expired lease is lengthened.
    ExtendRevives,
    /// A claim gives out a run that is under an unexpired lease.
    LeaseNotFenced,
    /// A claim leaves the first event out if there are more.
    HeadSkipped,
    /// A failure is answered and not counted.
    ChargeForgotten,
    /// At the last attempt the event is passed over, without a dead letter.
    DeadLetterForgotten,
    /// From some moment on claims find nothing.
    ClaimsRunDry,
    /// An append is acknowledged and not written.
    AppendLost,
    /// The sink stores the second event before the first.
    SinkReorders,
    /// The sink says that it stored what it is yet to send.
    AcknowledgedBeforeSent,
    /// The sink gives an event up that it cannot store.
    SinkDrops,
}

#[derive(Debug)]
pub(crate) struct PlantedStore {
    pub(crate) memory: MemoryStore,
    bug: Option<Bug>,
    /// The last lease of each run.
    leases: Mutex<BTreeMap<RunKey, Lease>>,
    clock: ManualClock,
    dries_at: Timestamp,
    calls: Mutex<u32>,
}

impl PlantedStore {
    pub(crate) fn new(clock: ManualClock, bug: Option<Bug>) -> Self {
        Self {
            memory: MemoryStore::with_clock(clock.clone()),
            dries_at: clock.now().saturating_add(Duration::from_secs(30)),
            clock,
            bug,
            leases: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// A bug that shows now and then.
    fn strikes(&self, bug: Bug) -> bool {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls += 1;
        self.has(bug) && calls.is_multiple_of(7)
    }

    fn last_lease(&self, run: &RunKey) -> Option<Lease> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.get(run).cloned()
    }

    pub(crate) async fn append(
        &self,
        request: &AppendRequest,
    ) -> Result<Result<AppendOutcome, AppendError>, StoreError> {
        if self.strikes(Bug::AppendLost) {
            let record = self.memory.get_run(&request.run).await?;
            let stored = (record.head + 1..).zip(&request.events);
            let events = stored.map(|(run_seq, event)| Appended {
                stored: RunEvent {
                    run_seq,
                    persisted_at: record.created_at,
                    event: event.clone(),
                },
                disposition: Disposition::Appended,
            });
            return Ok(Ok(AppendOutcome {
                head: record.head + request.events.len() as u64,
                events: events.collect(),
            }));
        }
        let mut replies = self
            .memory
            .append_batch(std::slice::from_ref(request))
            .await?;
        replies
            .pop()
            .ok_or_else(|| StoreError::bug("append_batch", "no reply"))
    }

    pub(crate) async fn claim(
        &self,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, OutboxError> {
        if self.strikes(Bug::LeaseNotFenced) {
            let leases = self
                .leases
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            for lease in leases.values() {
                let _ = self.memory.release_one(lease).await;
            }
        }
        if self.has(Bug::ClaimsRunDry) && self.clock.now() > self.dries_at {
            return Ok(Vec::new());
        }
        let mut claimed = self.memory.claim(request).await?;
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        for run in &claimed {
            leases.insert(run.lease.run.clone(), run.lease.clone());
        }
        drop(leases);
        if self.strikes(Bug::HeadSkipped) {
            for run in claimed.iter_mut().filter(|run| run.events.len() > 1) {
                run.events.remove(0);
            }
        }
        Ok(claimed)
    }

    pub(crate) async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        let mut replies = self.memory.extend(leases, by).await?;
        if self.has(Bug::ExtendRevives) {
            for (lease, reply) in leases.iter().zip(&mut replies) {
                *reply = reply.clone().or_else(|_| Ok(lease.clone()));
            }
        }
        Ok(replies)
    }

    pub(crate) async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let mut replies = self.memory.mark_delivered(acknowledgements).await?;
        let Some(bug) = self.bug else {
            return Ok(replies);
        };
        for (done, reply) in acknowledgements.iter().zip(&mut replies) {
            let last = self.last_lease(&done.lease.run);
            if let (Bug::StaleMarkAccepted, Err(_), Some(lease)) = (bug, &reply, last) {
                let anyway = self.memory.acknowledge(&lease, done.through).await;
                *reply = anyway.or(reply.clone());
            }
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
        let until = self.clock.now();
        if self.strikes(Bug::ChargeForgotten) {
            self.memory.release_one(lease).await?;
            return Ok(FailOutcome::BackingOff { until });
        }
        let skips = policy.on_exhausted() == OnExhausted::Skip;
        if self.has(Bug::DeadLetterForgotten) && skips && policy.max_attempts() == 1 {
            self.memory.acknowledge(lease, seq).await?;
            return Ok(FailOutcome::Skipped { dead_letter_no: 1 });
        }
        self.memory.mark_failed(lease, seq, error, policy).await
    }
}
