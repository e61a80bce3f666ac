//! A store in memory with one odd answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dvt_adapter_memory::MemoryStore;
use dvt_conformance::fixture;
use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterQuery, Destination,
    FailOutcome, Lease, LeaseError, OperatorNote, OutboxError, OutboxStats, OutboxStorage,
    PendingQuery, PendingRun, RetryPolicy, RunKey, SafeText,
};
use dvt_relay::{Relay, RelaySettings};
use tokio::time::sleep;

use crate::world::World;

/// What is odd about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    /// The first acknowledgement happens, and its reply is lost after a second.
    LostAcknowledgement,
    /// The same, and another relay delivers the next event meanwhile.
    OvertakenAcknowledgement,
    /// Acknowledgements never answer.
    SilentAcknowledgement,
    /// Leases are never lengthened: there is no answer.
    SilentExtend,
    /// The first lengthening of leases answers after 25 seconds.
    LateExtend,
    /// Giving back takes its time.
    SlowRelease,
    /// The first claim answers after three seconds.
    SlowClaim,
    /// Each claim answers after a second.
    SlowClaims,
    /// The second claim answers after so long, the others at once.
    LateSecondClaim(Duration),
    /// The second claim is undone and fails after a second; the third, which could not see its runs, answers after two.
    UndoneSecondClaim,
    /// The first claim panics.
    PanickingClaim,
}

#[derive(Debug)]
struct OddStore {
    store: MemoryStore,
    odd: Odd,
    used: AtomicBool,
    claims: AtomicUsize,
}

impl Odd {
    /// A relay from such a store to the world's sink.
    pub(crate) fn relay(self, world: &World, settings: RelaySettings) -> Relay {
        let store = OddStore {
            store: world.store.clone(),
            odd: self,
            used: AtomicBool::new(false),
            claims: AtomicUsize::new(0),
        };
        Relay::new(Arc::new(store), world.sink.clone(), settings).unwrap()
    }
}

impl OddStore {
    /// Whether this is the first call that asks, of a store that is odd in this way.
    fn is_first(&self, odd: Odd) -> bool {
        self.odd == odd && !self.used.swap(true, Ordering::SeqCst)
    }
}

#[async_trait]
impl OutboxStorage for OddStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        assert!(!self.is_first(Odd::PanickingClaim), "as told");
        let claimed = self.store.claim(request).await;
        if self.is_first(Odd::SlowClaim) {
            sleep(Duration::from_secs(3)).await;
        }
        if self.odd == Odd::SlowClaims {
            sleep(Duration::from_secs(1)).await;
        }
        let earlier = self.claims.fetch_add(1, Ordering::SeqCst);
        match (self.odd, earlier) {
            (Odd::LateSecondClaim(time), 1) => sleep(time).await,
            (Odd::UndoneSecondClaim, 1) => {
                sleep(Duration::from_secs(1)).await;
                let leases: Vec<Lease> = claimed?.into_iter().map(|run| run.lease).collect();
                self.store.release(&leases).await?;
                return Err(OutboxError::transient("claim", "as told"));
            }
            (Odd::UndoneSecondClaim, 2) => sleep(Duration::from_secs(2)).await,
            _ => {}
        }
        claimed
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        if self.odd == Odd::SilentExtend {
            return std::future::pending().await;
        }
        let replies = self.store.extend(leases, by).await;
        if self.is_first(Odd::LateExtend) {
            sleep(Duration::from_secs(25)).await;
        }
        replies
    }

    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        if self.odd == Odd::SilentAcknowledgement {
            return std::future::pending().await;
        }
        let replies = self.store.mark_delivered(acknowledgements).await;
        let overtaken = self.is_first(Odd::OvertakenAcknowledgement);
        if overtaken {
            let request = ClaimRequest {
                max_events_per_run: 1,
                ..fixture::claim_all()
            };
            let claimed = self.store.claim(&request).await?;
            let others: Vec<_> = claimed
                .into_iter()
                .map(|run| Acknowledgement {
                    through: run.lease.last_seq,
                    lease: run.lease,
                })
                .collect();
            self.store.mark_delivered(&others).await?;
        }
        if overtaken || self.is_first(Odd::LostAcknowledgement) {
            sleep(Duration::from_secs(1)).await;
            return Err(OutboxError::unknown("mark_delivered", "the reply is lost"));
        }
        replies
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        self.store.mark_failed(lease, seq, error, policy).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        if self.odd == Odd::SlowRelease {
            sleep(Duration::from_millis(50)).await;
        }
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
        self.store.skip_dead_letter(run, dead_letter_no, note).await
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
