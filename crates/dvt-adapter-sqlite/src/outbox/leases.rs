//! What ends a lease, and what lengthens it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, DeadLetterCause, FailOutcome, Lease, LeaseError, OnExhausted, OperatorNote,
    ResolutionKind, RetryPolicy, SafeText, Timestamp,
};
use sqlx::SqliteConnection;

use super::dead_letters;
use crate::fault::Fault;
use crate::head::Head;

/// One entry of a call that works on leases.
pub(super) enum Work<'a> {
    Extend(&'a Lease, Duration),
    Acknowledge(&'a Acknowledgement),
    Release(&'a Lease),
}

impl Work<'_> {
    fn lease(&self) -> &Lease {
        match self {
            Self::Extend(lease, _) | Self::Release(lease) => lease,
            Self::Acknowledge(done) => &done.lease,
        }
    }

    fn apply(&self, head: &mut Head, now: Timestamp) -> Result<Lease, LeaseError> {
        let lease = self.lease();
        head.check_lease(lease)?;
        match self {
            Self::Extend(_, by) => {
                let expires_at = now.saturating_add(*by);
                match &mut head.lease {
                    Some((_, until)) if *until > now => *until = expires_at,
                    _ => return Err(head.stale()),
                }
                head.due_at = Some(expires_at);
                return Ok(Lease {
                    claim_no: head.claim_no,
                    expires_at,
                    ..lease.clone()
                });
            }
            Self::Acknowledge(done) => {
                head.check_seq(lease, done.through)?;
                head.deliver_through(done.through);
            }
            Self::Release(_) => {}
        }
        head.end_lease();
        head.reschedule(now);
        Ok(lease.clone())
    }
}

/// Does everything that a call asks for, one after another; one refusal concerns no other entry.
pub(super) async fn work_all(
    connection: &mut SqliteConnection,
    work: &[Work<'_>],
    now: Timestamp,
) -> Result<Vec<Result<Lease, LeaseError>>, Fault> {
    let mut done = Vec::with_capacity(work.len());
    for work in work {
        done.push(match Head::load(connection, &work.lease().run).await? {
            None => Err(LeaseError::RunNotFound {
                run: work.lease().run.clone(),
            }),
            Some(mut head) => {
                let applied = work.apply(&mut head, now);
                if applied.is_ok() {
                    head.save(connection).await?;
                }
                applied
            }
        });
    }
    Ok(done)
}

pub(super) async fn fail(
    connection: &mut SqliteConnection,
    lease: &Lease,
    seq: u64,
    error: &SafeText,
    policy: &RetryPolicy,
    now: Timestamp,
) -> Result<Result<FailOutcome, LeaseError>, Fault> {
    let Some(mut head) = Head::load(connection, &lease.run).await? else {
        return Ok(Err(LeaseError::RunNotFound {
            run: lease.run.clone(),
        }));
    };
    let allowed = head.check_lease(lease);
    if let Err(refusal) = allowed.and_then(|()| head.check_seq(lease, seq)) {
        return Ok(Err(refusal));
    }
    head.deliver_through(seq - 1);
    head.end_lease();
    head.attempts = head.attempts.saturating_add(1);
    head.last_error = Some(error.clone());
    if head.attempts < policy.max_attempts() {
        let until = now.saturating_add(policy.delay(head.attempts, entropy()));
        head.due_at = Some(until);
        head.save(connection).await?;
        return Ok(Ok(FailOutcome::BackingOff { until }));
    }
    let cause = DeadLetterCause::AttemptsExhausted;
    let dead_letter_no = head.bury(connection, cause, error, now).await?;
    if policy.on_exhausted() == OnExhausted::Park {
        head.save(connection).await?;
        return Ok(Ok(FailOutcome::Parked { dead_letter_no }));
    }
    let note = OperatorNote::exhausted();
    let kind = ResolutionKind::Skipped;
    dead_letters::close(connection, &lease.run, dead_letter_no, kind, &note, now).await?;
    head.parked_at = None;
    head.deliver_through(seq);
    head.reschedule(now);
    head.save(connection).await?;
    Ok(Ok(FailOutcome::Skipped { dead_letter_no }))
}

/// Spread for back-off; nothing secret hangs on it.
fn entropy() -> u64 {
    RandomState::new().hash_one(())
}
