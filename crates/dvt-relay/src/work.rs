//! What a relay has done by tasks, so that nothing waits for the slowest of them.

use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, ErrorClass, EventSink, FailOutcome, Lease,
    LeaseError, OutboxError, OutboxStorage, Published, RetryPolicy, RunEvent, RunKey, SafeText,
    Stop,
};
use tokio::time::{Instant, sleep, timeout};

use crate::chance::Chance;

/// A claim under way.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) request: ClaimRequest,
    pub(crate) begun_at: Instant,
    /// How many reasons to look there had been when it began.
    pub(crate) reasons: u64,
}

/// A task that ended.
#[derive(Debug)]
pub(crate) enum Done {
    Claimed {
        claim: Claim,
        claimed: Result<Vec<ClaimedRun>, OutboxError>,
    },
    Published {
        run: RunKey,
        claim_no: u64,
        answer: Answer,
    },
    Acknowledged {
        acknowledgements: Vec<Acknowledgement>,
        /// The first event of each.
        first_seqs: Vec<u64>,
        replies: Result<Vec<Result<(), LeaseError>>, OutboxError>,
    },
    Failed {
        lease: Lease,
        run_seq: u64,
        outcome: Result<FailOutcome, OutboxError>,
    },
    Released {
        leases: Vec<Lease>,
        replies: Result<Vec<Result<(), LeaseError>>, OutboxError>,
    },
    Extended {
        begun_at: Instant,
        leases: Vec<Lease>,
        replies: Result<Vec<Result<Lease, LeaseError>>, OutboxError>,
    },
}

/// What the sink said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) published: Published,
    /// Whether it said it itself, before its time was over.
    pub(crate) in_time: bool,
}

/// Whether the same call may yet succeed.
pub(crate) fn is_passing(error: &OutboxError) -> bool {
    matches!(error.class(), ErrorClass::Transient | ErrorClass::Unknown)
}

/// How long the store is asked again.
#[derive(Debug)]
pub(crate) struct Patience {
    pub(crate) until: Instant,
    pub(crate) chance: Chance,
}

/// Asks the store again and again until it answers for good, or until the leases concerned have ended anyway.
async fn insist<T, F>(
    patience: Patience,
    mut ask: impl FnMut() -> F + Send,
) -> Result<T, OutboxError>
where
    F: Future<Output = Result<T, OutboxError>> + Send,
{
    let mut ceiling = Duration::from_millis(20);
    loop {
        match ask().await {
            Err(error) if is_passing(&error) && Instant::now() < patience.until => {
                sleep(patience.chance.below(ceiling)).await;
                ceiling = (ceiling * 2).min(Duration::from_secs(1));
            }
            answer => return answer,
        }
    }
}

pub(crate) async fn claim(store: Arc<dyn OutboxStorage>, claim: Claim) -> Done {
    let claimed = store.claim(&claim.request).await;
    Done::Claimed { claim, claimed }
}

pub(crate) async fn publish(
    sink: Arc<dyn EventSink>,
    lease: Lease,
    events: Vec<RunEvent>,
    within: Duration,
) -> Done {
    let answer = timeout(within, sink.publish(&lease.run, lease.claim_no, &events)).await;
    let in_time = answer.is_ok();
    let mut published = answer.unwrap_or_else(|_| Published {
        stored: 0,
        stop: Some(Stop::Unavailable {
            reason: SafeText::new(format!("no answer within {within:?}")),
            retry_after: None,
        }),
    });
    published.stored = published.stored.min(events.len());
    if published.stop.is_none() && published.stored < events.len() {
        let reason = SafeText::new("the sink stopped early and did not say why");
        published.stop = Some(Stop::Unknown { reason });
    }
    Done::Published {
        run: lease.run,
        claim_no: lease.claim_no,
        answer: Answer { published, in_time },
    }
}

pub(crate) async fn acknowledge(
    store: Arc<dyn OutboxStorage>,
    acknowledgements: Vec<Acknowledgement>,
    first_seqs: Vec<u64>,
    patience: Patience,
) -> Done {
    let replies = insist(patience, || store.mark_delivered(&acknowledgements)).await;
    Done::Acknowledged {
        acknowledgements,
        first_seqs,
        replies,
    }
}

pub(crate) async fn fail(
    store: Arc<dyn OutboxStorage>,
    lease: Lease,
    run_seq: u64,
    reason: SafeText,
    policy: RetryPolicy,
    patience: Patience,
) -> Done {
    let outcome = insist(patience, || {
        store.mark_failed(&lease, run_seq, &reason, &policy)
    })
    .await;
    Done::Failed {
        lease,
        run_seq,
        outcome,
    }
}

pub(crate) async fn release(
    store: Arc<dyn OutboxStorage>,
    leases: Vec<Lease>,
    patience: Patience,
) -> Done {
    let replies = insist(patience, || store.release(&leases)).await;
    Done::Released { leases, replies }
}

pub(crate) async fn extend(
    store: Arc<dyn OutboxStorage>,
    leases: Vec<Lease>,
    by: Duration,
) -> Done {
    let begun_at = Instant::now();
    let replies = store.extend(&leases, by).await;
    Done::Extended {
        begun_at,
        leases,
        replies,
    }
}
