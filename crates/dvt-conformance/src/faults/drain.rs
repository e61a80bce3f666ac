use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{
    ClaimRequest, ClaimedRun, DeadLetterQuery, ErrorClass, EventSink, OutboxError,
    OutboxStorageExt as _, RetryPolicy, Store,
};

use super::dice::Dice;
use crate::failure::Failure;
use crate::fixture::{LEASE, by_ann, claim_all};

/// One who delivers as a relay must: acknowledges what the sink says to be stored, and nothing else.
#[derive(Debug)]
pub(super) struct Consumer {
    store: Arc<dyn Store>,
    sink: Arc<dyn EventSink>,
    dice: Dice,
}

/// An answer that is lost is asked for so often.
const TRIES: u32 = 3;

impl Consumer {
    pub(super) fn new(store: &Arc<dyn Store>, sink: &Arc<dyn EventSink>, dice: Dice) -> Self {
        Self {
            store: Arc::clone(store),
            sink: Arc::clone(sink),
            dice,
        }
    }

    /// Claims some runs and works on them. How many; a claim whose reply is lost is none.
    pub(super) async fn turn(&mut self) -> Result<usize, Failure> {
        let request = ClaimRequest {
            max_runs: 1 + self.dice.below(2) as u32,
            max_events_per_run: 1 + self.dice.below(3) as u32,
            ..claim_all()
        };
        let claimed = match self.store.claim(&request).await {
            Ok(claimed) => claimed,
            Err(error) => return passing(error).map(|()| 0),
        };
        let runs = claimed.len();
        for run in claimed {
            self.deliver(run).await?;
        }
        Ok(runs)
    }

    async fn deliver(&mut self, claimed: ClaimedRun) -> Result<(), Failure> {
        let ClaimedRun { lease, events, .. } = claimed;
        let first = events.first().map_or(0, |event| event.run_seq);
        if self.dice.one_in(20) {
            // It goes away, and the lease ends by its time.
            return Ok(());
        }
        if self.dice.one_in(10)
            && let Err(error) = self.store.extend_one(&lease, LEASE).await
        {
            passing(error)?;
        }
        if self.dice.one_in(30) {
            return self.park(&lease.run).await;
        }
        let published = self.sink.publish(&lease.run, lease.claim_no, &events).await;
        let next = first + published.stored as u64;
        let charge = self.dice.one_in(4) && published.stop.is_some();
        for _ in 0..TRIES {
            let answer = match published.stored {
                _ if charge => {
                    let (error, policy) = ("as told".into(), patient());
                    let failed = self.store.mark_failed(&lease, next, &error, &policy);
                    failed.await.map(drop)
                }
                0 => self.store.release_one(&lease).await,
                _ => self.store.acknowledge(&lease, next - 1).await,
            };
            match answer {
                // It was somebody else's, or this one's own first try.
                Ok(()) | Err(OutboxError::Lease(_)) => break,
                Err(error) => passing(error)?,
            }
        }
        Ok(())
    }

    /// Somebody parks the run and lets it go again.
    async fn park(&self, run: &dvt_contracts::RunKey) -> Result<(), Failure> {
        match self.store.park_run(run, &by_ann()).await {
            Ok(letter) => {
                let number = letter.dead_letter_no;
                match self.store.retry_dead_letter(run, number, &by_ann()).await {
                    Ok(_) => Ok(()),
                    Err(error) => passing(error),
                }
            }
            // Another has delivered it.
            Err(OutboxError::NothingPending { .. }) => Ok(()),
            Err(error) => passing(error),
        }
    }

    /// Lets all that is dead go out again.
    pub(super) async fn revive(&self) -> Result<(), Failure> {
        let query = DeadLetterQuery {
            open_only: true,
            ..DeadLetterQuery::default()
        };
        for letter in self.store.list_dead_letters(&query).await? {
            let number = letter.dead_letter_no;
            self.store
                .retry_dead_letter(&letter.run, number, &by_ann())
                .await?;
        }
        Ok(())
    }
}

/// Failures that never park.
fn patient() -> RetryPolicy {
    RetryPolicy::new(NonZeroU32::MAX, Duration::from_secs(1), LEASE).unwrap_or_default()
}

fn passing(error: OutboxError) -> Result<(), Failure> {
    match error.class() {
        ErrorClass::Transient | ErrorClass::Unknown => Ok(()),
        // A lease that ended, or a dead letter that another has let go.
        _ if matches!(error, OutboxError::Lease(_)) => Ok(()),
        _ => Err(error.into()),
    }
}
