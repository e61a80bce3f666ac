use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterQuery, Destination,
    ErrorClass, FailOutcome, Lease, LeaseError, OperatorNote, OutboxError, OutboxStats,
    OutboxStorage, PendingQuery, PendingRun, RetryPolicy, RunKey, SafeText,
};

use crate::history::{
    Call, Claimed, FailAnswer, Held, LeaseAnswer, OperatorAct, OperatorAnswer, Reply,
};
use crate::pen::Pen;

/// So many leases that have ended are remembered.
const REMEMBERED: usize = 64;

/// An outbox whose operations are written down. It remembers leases that were answered, for those who try them again.
#[derive(Debug)]
pub(crate) struct Recorded<S: ?Sized> {
    pen: Pen,
    ended: Arc<Mutex<VecDeque<(Lease, u64)>>>,
    store: Arc<S>,
}

impl<S: ?Sized> Recorded<S> {
    pub(crate) fn new(store: Arc<S>, pen: Pen) -> Self {
        Self {
            pen,
            ended: Arc::default(),
            store,
        }
    }

    /// The same outbox, for somebody else in this process.
    pub(crate) fn written_by(&self, pen: Pen) -> Self {
        Self {
            pen,
            ended: Arc::clone(&self.ended),
            store: Arc::clone(&self.store),
        }
    }

    fn remember(&self, lease: &Lease, last: u64) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= REMEMBERED {
            ended.pop_front();
        }
        ended.push_back((lease.clone(), last));
    }

    /// A lease that was answered, and the event that the answer named. `pick` chooses among so many.
    pub(crate) fn any_ended(&self, pick: impl FnOnce(u64) -> u64) -> Option<(Lease, u64)> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(pick(ended.len() as u64)).ok()?;
        ended.get(at).cloned()
    }
}

pub(crate) fn held(lease: &Lease) -> Held {
    Held(lease.run.to_string(), lease.claim_no)
}

/// How an operation failed.
pub(crate) fn failed(error: &OutboxError) -> Reply {
    match error.class() {
        ErrorClass::Unknown => Reply::Unknown(text(error)),
        class => Reply::Refused(format!("{class:?}: {}", text(error))),
    }
}

/// An error with its causes.
pub(crate) fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn lease_answer<T>(reply: &Result<T, LeaseError>) -> LeaseAnswer {
    match reply {
        Ok(_) => LeaseAnswer::Done,
        Err(LeaseError::StaleLease { delivered_seq, .. }) => LeaseAnswer::Stale(*delivered_seq),
        Err(error) => LeaseAnswer::Refused(error.to_string()),
    }
}

fn lease_answers<T>(replies: &Result<Vec<Result<T, LeaseError>>, OutboxError>) -> Reply {
    match replies {
        Ok(replies) => Reply::Leases(replies.iter().map(lease_answer).collect()),
        Err(error) => failed(error),
    }
}

fn operator_answer(reply: &Result<DeadLetter, OutboxError>) -> Reply {
    match reply {
        Ok(dead) => Reply::Operated(OperatorAnswer {
            dead_letter_no: dead.dead_letter_no,
            seq: dead.run_seq,
        }),
        Err(error) => failed(error),
    }
}

#[async_trait]
impl<S: OutboxStorage + ?Sized> OutboxStorage for Recorded<S> {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError> {
        let begun = self.pen.begin(Call::Claim);
        let claimed = self.store.claim(request).await;
        let lease_millis = u64::try_from(request.lease.as_millis()).unwrap_or(u64::MAX);
        let reply = match &claimed {
            Ok(runs) => Reply::Claimed(runs.iter().map(|run| told(run, lease_millis)).collect()),
            Err(error) => failed(error),
        };
        self.pen.end(begun, reply);
        claimed
    }

    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError> {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let begun = self.pen.begin(Call::Extend {
            held: leases.iter().map(held).collect(),
            millis,
        });
        let replies = self.store.extend(leases, by).await;
        self.pen.end(begun, lease_answers(&replies));
        replies
    }

    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let marks = acknowledgements
            .iter()
            .map(|mark| (held(&mark.lease), mark.through));
        let begun = self.pen.begin(Call::Acknowledge(marks.collect()));
        let replies = self.store.mark_delivered(acknowledgements).await;
        for (mark, reply) in acknowledgements.iter().zip(replies.iter().flatten()) {
            if reply.is_ok() {
                self.remember(&mark.lease, mark.through);
            }
        }
        self.pen.end(begun, lease_answers(&replies));
        replies
    }

    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let begun = self.pen.begin(Call::Fail {
            held: held(lease),
            seq,
        });
        let outcome = self.store.mark_failed(lease, seq, error, policy).await;
        if outcome.is_ok() {
            self.remember(lease, seq);
        }
        let reply = match &outcome {
            Ok(FailOutcome::BackingOff { .. }) => Reply::Failed(FailAnswer::BackingOff),
            Ok(FailOutcome::Parked { dead_letter_no }) => {
                Reply::Failed(FailAnswer::Parked(*dead_letter_no))
            }
            Ok(FailOutcome::Skipped { dead_letter_no }) => {
                Reply::Failed(FailAnswer::Skipped(*dead_letter_no))
            }
            Err(OutboxError::Lease(LeaseError::StaleLease { delivered_seq, .. })) => {
                Reply::Failed(FailAnswer::Stale(*delivered_seq))
            }
            Err(error) => failed(error),
        };
        self.pen.end(begun, reply);
        outcome
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let begun = self
            .pen
            .begin(Call::Release(leases.iter().map(held).collect()));
        let replies = self.store.release(leases).await;
        self.pen.end(begun, lease_answers(&replies));
        replies
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
        let act = OperatorAct::Retry(dead_letter_no);
        let begun = self.pen.begin(Call::Operate {
            run: run.to_string(),
            act,
        });
        let dead = self
            .store
            .retry_dead_letter(run, dead_letter_no, note)
            .await;
        self.pen.end(begun, operator_answer(&dead));
        dead
    }

    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let act = OperatorAct::Skip(dead_letter_no);
        let begun = self.pen.begin(Call::Operate {
            run: run.to_string(),
            act,
        });
        let dead = self.store.skip_dead_letter(run, dead_letter_no, note).await;
        self.pen.end(begun, operator_answer(&dead));
        dead
    }

    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError> {
        let begun = self.pen.begin(Call::Operate {
            run: run.to_string(),
            act: OperatorAct::Park,
        });
        let dead = self.store.park_run(run, note).await;
        self.pen.end(begun, operator_answer(&dead));
        dead
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

fn told(run: &ClaimedRun, lease_millis: u64) -> Claimed {
    Claimed {
        run: run.lease.run.to_string(),
        claim_no: run.lease.claim_no,
        lease_millis,
        attempts: run.attempts,
        unfinished: run.unfinished_claims,
        first: run.events.first().map_or(1, |event| event.run_seq),
        last: run.lease.last_seq,
    }
}
