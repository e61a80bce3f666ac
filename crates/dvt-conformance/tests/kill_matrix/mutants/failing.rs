//! Bugs in failing a delivery: back-off, attempts, errors, and the step to a dead letter.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::*;

use super::planted;
use super::tools::{Claimed, clock, pending};
use crate::bug::Bug;

planted! {
    NoBackOff => "makes a failed run due after a millisecond",
    BackOffNotDoubled => "backs off equally long after each failure",
    BackOffUncapped => "does not hold the back-off to its cap",
    BackOffFromTheLease => "tells the end of the lease as the end of the back-off",
    JitterAboveTheCeiling => "spreads full jitter over twice the ceiling",
    JitterIgnored => "backs off for exactly the ceiling under full jitter",
    JitterAlways => "spreads the back-off when no jitter is asked for",
    FailsBeyondTheLease => "fails events that were appended after the claim",
    BackOffOverflows => "cannot back off after 62 failures",
    PrefixDeliveredAgain => "does not acknowledge the events before the failed one",
    FailOutOfRangeTaken => "accepts the failure of an event that is not pending",
    FailOutOfRangeEndsTheLease => "ends the lease when it refuses a failure",
    ParksOneTooLate => "parks a run one failure after `max_attempts`",
    ParksOneTooEarly => "parks a run one failure before `max_attempts`",
    SkipParks => "parks a run under the policy Skip",
    ParkSkips => "skips the event under the policy Park",
    ErrorCut => "cuts errors after 1,000 bytes",
    ErrorLost => "does not keep the error",
    AttemptsUntold => "tells 0 attempts with each claim",
    AttemptsCountClaims => "counts claims as attempts",
    AttemptsOutliveTheEvent => "counts the failures of earlier events too",
    ErrorOutlivesTheEvent => "keeps the last error when the cursor moves",
    FailureHoldsAll => "holds every run back while one backs off",
}

type Failed = Result<FailOutcome, OutboxError>;
type Listed = Result<Vec<PendingRun>, OutboxError>;

macro_rules! on_fail {
    ($name:ident, |$inner:ident, $lease:ident, $seq:ident, $error:ident, $policy:ident| $body:expr) => {
        #[derive(Debug, Default)]
        struct $name;
        #[async_trait]
        impl Bug for $name {
            async fn mark_failed(
                &self,
                $inner: &dyn Store,
                $lease: &Lease,
                $seq: u64,
                $error: &SafeText,
                $policy: &RetryPolicy,
            ) -> Failed {
                $body
            }
        }
    };
}

/// The policy with other numbers; as it is if they make no policy.
fn changed(policy: &RetryPolicy, attempts: u32, initial: Duration, cap: Duration) -> RetryPolicy {
    let attempts = NonZeroU32::new(attempts.max(1)).expect("at least one");
    RetryPolicy::new(attempts, initial, cap).map_or(*policy, |changed| {
        changed
            .with_jitter(policy.jitter())
            .with_on_exhausted(policy.on_exhausted())
    })
}

on_fail!(NoBackOff, |inner, lease, seq, error, policy| {
    let ms = Duration::from_millis(1);
    let policy = changed(policy, policy.max_attempts(), ms, ms);
    inner.mark_failed(lease, seq, error, &policy).await
});
on_fail!(BackOffNotDoubled, |inner, lease, seq, error, policy| {
    let policy = changed(
        policy,
        policy.max_attempts(),
        policy.initial(),
        policy.initial(),
    );
    inner.mark_failed(lease, seq, error, &policy).await
});
on_fail!(BackOffUncapped, |inner, lease, seq, error, policy| {
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let policy = changed(policy, policy.max_attempts(), policy.initial(), year);
    inner.mark_failed(lease, seq, error, &policy).await
});
on_fail!(BackOffFromTheLease, |inner, lease, seq, error, policy| {
    match inner.mark_failed(lease, seq, error, policy).await? {
        FailOutcome::BackingOff { .. } => Ok(FailOutcome::BackingOff {
            until: lease.expires_at,
        }),
        outcome => Ok(outcome),
    }
});
on_fail!(JitterAboveTheCeiling, |inner, lease, seq, error, policy| {
    let twice = changed(
        policy,
        policy.max_attempts(),
        policy.initial() * 2,
        policy.cap() * 2,
    );
    let policy = if policy.jitter() == Jitter::Full {
        twice
    } else {
        *policy
    };
    inner.mark_failed(lease, seq, error, &policy).await
});
on_fail!(JitterIgnored, |inner, lease, seq, error, policy| {
    inner
        .mark_failed(lease, seq, error, &policy.with_jitter(Jitter::None))
        .await
});
on_fail!(JitterAlways, |inner, lease, seq, error, policy| {
    // Half the ceiling: as good as any draw, and the same each time.
    let half = changed(
        policy,
        policy.max_attempts(),
        policy.initial() / 2,
        policy.cap() / 2,
    );
    inner.mark_failed(lease, seq, error, &half).await
});
on_fail!(PrefixDeliveredAgain, |inner, lease, seq, error, policy| {
    let cursor = pending(inner, &lease.run)
        .await
        .map_or(0, |run| run.delivered_seq);
    let first = if seq > cursor { cursor + 1 } else { seq };
    inner.mark_failed(lease, first, error, policy).await
});
on_fail!(FailOutOfRangeTaken, |inner, lease, seq, error, policy| {
    match inner.mark_failed(lease, seq, error, policy).await {
        Err(OutboxError::Lease(LeaseError::SeqOutOfRange { .. })) => Ok(FailOutcome::BackingOff {
            until: lease.expires_at,
        }),
        reply => reply,
    }
});
on_fail!(
    FailOutOfRangeEndsTheLease,
    |inner, lease, seq, error, policy| {
        let reply = inner.mark_failed(lease, seq, error, policy).await;
        if matches!(
            reply,
            Err(OutboxError::Lease(LeaseError::SeqOutOfRange { .. }))
        ) {
            inner.release_one(lease).await?;
        }
        reply
    }
);
on_fail!(ParksOneTooLate, |inner, lease, seq, error, policy| {
    let policy = changed(
        policy,
        policy.max_attempts().saturating_add(1),
        policy.initial(),
        policy.cap(),
    );
    inner.mark_failed(lease, seq, error, &policy).await
});
on_fail!(ParksOneTooEarly, |inner, lease, seq, error, policy| {
    let policy = changed(
        policy,
        policy.max_attempts() - 1,
        policy.initial(),
        policy.cap(),
    );
    inner.mark_failed(lease, seq, error, &policy).await
});
on_fail!(SkipParks, |inner, lease, seq, error, policy| {
    inner
        .mark_failed(
            lease,
            seq,
            error,
            &policy.with_on_exhausted(OnExhausted::Park),
        )
        .await
});
on_fail!(ParkSkips, |inner, lease, seq, error, policy| {
    inner
        .mark_failed(
            lease,
            seq,
            error,
            &policy.with_on_exhausted(OnExhausted::Skip),
        )
        .await
});
on_fail!(ErrorCut, |inner, lease, seq, error, policy| {
    let bytes = error.as_str().as_bytes();
    let cut = SafeText::new(&bytes[..bytes.len().min(1_000)]);
    inner.mark_failed(lease, seq, &cut, policy).await
});
on_fail!(ErrorLost, |inner, lease, seq, _error, policy| {
    inner
        .mark_failed(lease, seq, &SafeText::from(""), policy)
        .await
});

#[derive(Debug, Default)]
struct AttemptsUntold;
#[async_trait]
impl Bug for AttemptsUntold {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let mut claimed = inner.claim(request).await?;
        claimed.iter_mut().for_each(|one| one.attempts = 0);
        Ok(claimed)
    }
}

#[derive(Debug, Default)]
struct AttemptsCountClaims;
#[async_trait]
impl Bug for AttemptsCountClaims {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let mut claimed = inner.claim(request).await?;
        claimed
            .iter_mut()
            .for_each(|one| one.attempts = one.lease.claim_no as u32 - 1);
        Ok(claimed)
    }
}

/// Failures and last error of each run since the beginning.
#[derive(Debug, Default)]
struct Failures(Mutex<HashMap<RunKey, (u32, SafeText)>>);
impl Failures {
    async fn mark_failed(
        &self,
        inner: &dyn Store,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Failed {
        let reply = inner.mark_failed(lease, seq, error, policy).await;
        if reply.is_ok() {
            let mut notes = self.0.lock().expect("notes");
            let note = notes.entry(lease.run.clone()).or_insert((0, error.clone()));
            *note = (note.0 + 1, error.clone());
        }
        reply
    }
    fn of(&self, run: &RunKey) -> Option<(u32, SafeText)> {
        self.0.lock().expect("notes").get(run).cloned()
    }
}

#[derive(Debug, Default)]
struct AttemptsOutliveTheEvent(Failures);
#[async_trait]
impl Bug for AttemptsOutliveTheEvent {
    async fn mark_failed(
        &self,
        inner: &dyn Store,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Failed {
        self.0.mark_failed(inner, lease, seq, error, policy).await
    }
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let mut claimed = inner.claim(request).await?;
        for one in &mut claimed {
            one.attempts = self
                .0
                .of(&one.lease.run)
                .map_or(0, |(failures, _)| failures);
        }
        Ok(claimed)
    }
}

#[derive(Debug, Default)]
struct ErrorOutlivesTheEvent(Failures);
#[async_trait]
impl Bug for ErrorOutlivesTheEvent {
    async fn mark_failed(
        &self,
        inner: &dyn Store,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Failed {
        self.0.mark_failed(inner, lease, seq, error, policy).await
    }
    async fn list_pending(&self, inner: &dyn Store, query: &PendingQuery) -> Listed {
        let mut runs = inner.list_pending(query).await?;
        for run in &mut runs {
            run.last_error = self.0.of(&run.run).map(|(_, error)| error);
        }
        Ok(runs)
    }
}

#[derive(Debug, Default)]
struct FailureHoldsAll(Mutex<Option<Timestamp>>);
#[async_trait]
impl Bug for FailureHoldsAll {
    async fn mark_failed(
        &self,
        inner: &dyn Store,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Failed {
        let reply = inner.mark_failed(lease, seq, error, policy).await;
        if let Ok(FailOutcome::BackingOff { until }) = &reply {
            *self.0.lock().expect("notes") = Some(*until);
        }
        reply
    }
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let until = *self.0.lock().expect("notes");
        if until.is_some() && until > Some(clock(inner).await) {
            return Ok(Vec::new());
        }
        inner.claim(request).await
    }
}

on_fail!(FailsBeyondTheLease, |inner, lease, seq, error, policy| {
    let forged = Lease {
        last_seq: u64::MAX,
        ..lease.clone()
    };
    inner.mark_failed(&forged, seq, error, policy).await
});
on_fail!(BackOffOverflows, |inner, lease, seq, error, policy| {
    if pending(inner, &lease.run)
        .await
        .is_some_and(|run| run.attempts >= 62)
    {
        return Err(OutboxError::bug("mark_failed", "interval out of range"));
    }
    inner.mark_failed(lease, seq, error, policy).await
});
