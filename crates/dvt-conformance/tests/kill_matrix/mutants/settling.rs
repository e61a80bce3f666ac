//! Bugs in how leases are extended, acknowledged and released.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::{Claimed, Marked, clock, pending};
use super::{on, planted};
use crate::bug::Bug;

planted! {
    AckWithoutToken => "acknowledges under a lease that was stolen",
    FailWithoutToken => "fails under a lease that was stolen",
    ReleaseWithoutToken => "releases under a lease that was stolen",
    ExtendWithoutToken => "extends a lease that was stolen",
    StaleTellsNothing => "tells 0 as the cursor of a stale lease",
    ExpiredAckRefused => "refuses to acknowledge under an expired lease that nobody has stolen",
    ExpiredReleaseRefused => "refuses to release an expired lease that nobody has stolen",
    MissingRunIsStale => "calls a lease on a run that is not there stale",
    ExtendFromTheEnd => "lengthens a lease from its end instead of from now",
    ExtensionUntold => "replies to an extension with the old end",
    ExtensionForgotten => "replies to an extension without making it",
    ExpiredLeaseExtended => "extends an expired lease",
    AckOneTooMany => "moves the cursor one event further than acknowledged, if there is one",
    AckAllOfTheRun => "moves the cursor to the head",
    AckOneTooFew => "moves the cursor one event less far than acknowledged, if there is one",
    AckTwiceIsFine => "answers a repeated acknowledgement with success",
    RestWaits => "makes the rest of a partly acknowledged run wait for the end of the lease",
    OutOfRangeTaken => "accepts the acknowledgement of an event that is not pending",
    BeyondTheLease => "acknowledges events that were appended after the claim",
    ExtendedLeaseCoversAll => "lets an extended lease cover events that were appended since the claim",
    OutOfRangeEndsTheLease => "ends the lease when it refuses an acknowledgement",
    FirstAnswerForAll => "answers every acknowledgement of a call like the first",
    NoLeaseLimit => "takes any number of leases in a call",
    ReleasedGoesFirst => "puts a released run before those already due",
    ReleaseWaits => "makes a released run due only when its lease would have ended",
    ReleaseCountsAnAttempt => "counts an attempt for a release",
    UnfinishedNeverReset => "never sets unfinished claims back",
    ReleaseKeepsUnfinished => "does not set unfinished claims back at a release",
}

/// The latest lease of each run, by which a bug works that does not look at the caller's.
#[derive(Debug, Default)]
struct Latest(Mutex<HashMap<RunKey, Lease>>);
impl Latest {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let claimed = inner.claim(request).await?;
        for one in &claimed {
            self.0
                .lock()
                .expect("notes")
                .insert(one.lease.run.clone(), one.lease.clone());
        }
        Ok(claimed)
    }
    fn of(&self, lease: &Lease) -> Lease {
        self.0
            .lock()
            .expect("notes")
            .get(&lease.run)
            .unwrap_or(lease)
            .clone()
    }
}

#[derive(Debug, Default)]
struct AckWithoutToken(Latest);
#[async_trait]
impl Bug for AckWithoutToken {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        self.0.claim(inner, request).await
    }
    async fn mark_delivered(&self, inner: &dyn Store, done: &[Acknowledgement]) -> Marked {
        let mut done = done.to_vec();
        done.iter_mut()
            .for_each(|one| one.lease = self.0.of(&one.lease));
        inner.mark_delivered(&done).await
    }
}

#[derive(Debug, Default)]
struct FailWithoutToken(Latest);
#[async_trait]
impl Bug for FailWithoutToken {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        self.0.claim(inner, request).await
    }
    async fn mark_failed(
        &self,
        inner: &dyn Store,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        inner
            .mark_failed(&self.0.of(lease), seq, error, policy)
            .await
    }
}

#[derive(Debug, Default)]
struct ReleaseWithoutToken(Latest);
#[async_trait]
impl Bug for ReleaseWithoutToken {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        self.0.claim(inner, request).await
    }
    async fn release(&self, inner: &dyn Store, leases: &[Lease]) -> Marked {
        let leases: Vec<_> = leases.iter().map(|lease| self.0.of(lease)).collect();
        inner.release(&leases).await
    }
}

type Extended = Result<Vec<Result<Lease, LeaseError>>, OutboxError>;

#[derive(Debug, Default)]
struct ExtendWithoutToken(Latest);
#[async_trait]
impl Bug for ExtendWithoutToken {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        self.0.claim(inner, request).await
    }
    async fn extend(&self, inner: &dyn Store, leases: &[Lease], by: Duration) -> Extended {
        let leases: Vec<_> = leases.iter().map(|lease| self.0.of(lease)).collect();
        inner.extend(&leases, by).await
    }
}

on!(StaleTellsNothing, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let mut replies = inner.mark_delivered(done).await?;
    for reply in &mut replies {
        if let Err(LeaseError::StaleLease { delivered_seq, .. }) = reply {
            *delivered_seq = 0;
        }
    }
    Ok(replies)
});

async fn is_expired(inner: &dyn Store, lease: &Lease) -> Option<LeaseError> {
    let expired = lease.expires_at <= clock(inner).await;
    let pending = pending(inner, &lease.run).await.filter(|_| expired)?;
    let delivered_seq = pending.delivered_seq;
    Some(LeaseError::StaleLease {
        run: lease.run.clone(),
        delivered_seq,
    })
}
on!(ExpiredAckRefused, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let mut replies = Vec::new();
    for one in done {
        match is_expired(inner, &one.lease).await {
            Some(stale) => replies.push(Err(stale)),
            None => replies.extend(inner.mark_delivered(std::slice::from_ref(one)).await?),
        }
    }
    Ok(replies)
});
on!(ExpiredReleaseRefused, release(leases: &[Lease]) -> Marked, |inner| {
    let mut replies = Vec::new();
    for lease in leases {
        match is_expired(inner, lease).await {
            Some(stale) => replies.push(Err(stale)),
            None => replies.extend(inner.release(std::slice::from_ref(lease)).await?),
        }
    }
    Ok(replies)
});
on!(MissingRunIsStale, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let mut replies = inner.mark_delivered(done).await?;
    for reply in &mut replies {
        if let Err(LeaseError::RunNotFound { run }) = reply {
            *reply = Err(LeaseError::StaleLease { run: run.clone(), delivered_seq: 0 });
        }
    }
    Ok(replies)
});
on!(ExtendFromTheEnd, extend(leases: &[Lease], by: Duration) -> Extended, |inner| {
    let now = clock(inner).await;
    let mut replies = Vec::new();
    for lease in leases {
        let by = by + lease.expires_at.saturating_since(now);
        let by = by.min(MAX_LEASE);
        replies.extend(inner.extend(std::slice::from_ref(lease), by).await?);
    }
    Ok(replies)
});
on!(ExtensionUntold, extend(leases: &[Lease], by: Duration) -> Extended, |inner| {
    let mut replies = inner.extend(leases, by).await?;
    for (reply, lease) in replies.iter_mut().flatten().zip(leases) {
        reply.expires_at = lease.expires_at;
    }
    Ok(replies)
});
on!(ExtensionForgotten, extend(leases: &[Lease], by: Duration) -> Extended, |inner| {
    let now = clock(inner).await;
    let mut replies = Vec::new();
    for lease in leases {
        let left = lease.expires_at.saturating_since(now).clamp(MIN_LEASE, MAX_LEASE);
        for mut reply in inner.extend(std::slice::from_ref(lease), left).await? {
            if let Ok(lease) = &mut reply {
                lease.expires_at = now.saturating_add(by);
            }
            replies.push(reply);
        }
    }
    Ok(replies)
});
on!(ExpiredLeaseExtended, extend(leases: &[Lease], by: Duration) -> Extended, |inner| {
    let until = clock(inner).await.saturating_add(by);
    let mut replies = inner.extend(leases, by).await?;
    for (reply, lease) in replies.iter_mut().zip(leases) {
        let run = pending(inner, &lease.run).await;
        let unstolen = |run: PendingRun| run.claim_no == lease.claim_no && run.unfinished_claims > 0;
        if reply.is_err() && run.is_some_and(unstolen) {
            *reply = Ok(Lease { expires_at: until, ..lease.clone() });
        }
    }
    Ok(replies)
});

/// Acknowledges with every `through` changed, given the run's cursor and head, as long as it is in range.
async fn acknowledge(
    inner: &dyn Store,
    done: &[Acknowledgement],
    change: impl Fn(u64, &PendingRun) -> u64 + Send,
) -> Marked {
    let mut done = done.to_vec();
    for one in &mut done {
        if let Some(run) = pending(inner, &one.lease.run).await
            && (run.delivered_seq + 1..=run.last_seq).contains(&one.through)
        {
            one.lease.last_seq = u64::MAX;
            one.through = change(one.through, &run);
        }
    }
    inner.mark_delivered(&done).await
}
on!(AckOneTooMany, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    acknowledge(inner, done, |through, run| (through + 1).min(run.last_seq)).await
});
on!(AckAllOfTheRun, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    acknowledge(inner, done, |_, run| run.last_seq).await
});
on!(AckOneTooFew, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    acknowledge(inner, done, |through, run| {
        if through < run.last_seq { (through - 1).max(run.delivered_seq + 1) } else { through }
    })
    .await
});
on!(AckTwiceIsFine, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let mut replies = inner.mark_delivered(done).await?;
    for (reply, one) in replies.iter_mut().zip(done) {
        if matches!(reply, Err(LeaseError::StaleLease { delivered_seq, .. }) if *delivered_seq >= one.through) {
            *reply = Ok(());
        }
    }
    Ok(replies)
});
on!(OutOfRangeTaken, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let mut replies = inner.mark_delivered(done).await?;
    for reply in &mut replies {
        if matches!(reply, Err(LeaseError::SeqOutOfRange { .. })) {
            *reply = Ok(());
        }
    }
    Ok(replies)
});
on!(OutOfRangeEndsTheLease, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let replies = inner.mark_delivered(done).await?;
    for (reply, one) in replies.iter().zip(done) {
        if matches!(reply, Err(LeaseError::SeqOutOfRange { .. })) {
            inner.release(std::slice::from_ref(&one.lease)).await?;
        }
    }
    Ok(replies)
});
on!(FirstAnswerForAll, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let replies = inner.mark_delivered(done).await?;
    let first = replies.first().cloned();
    Ok(replies.iter().filter_map(|_| first.clone()).collect())
});
on!(NoLeaseLimit, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let mut replies = Vec::new();
    for part in done.chunks(MAX_CALL_LEASES) {
        replies.extend(inner.mark_delivered(part).await?);
    }
    Ok(replies)
});

/// Runs that a bug holds back until a moment, although the store below has them due.
#[derive(Debug, Default)]
struct HeldBack(Mutex<HashMap<RunKey, Timestamp>>);
impl HeldBack {
    fn hold(&self, lease: &Lease) {
        self.0
            .lock()
            .expect("notes")
            .insert(lease.run.clone(), lease.expires_at);
    }
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let now = clock(inner).await;
        let held = |one: &ClaimedRun| {
            self.0
                .lock()
                .expect("notes")
                .get(&one.lease.run)
                .is_some_and(|until| *until > now)
        };
        let (back, claimed): (Vec<_>, Vec<_>) =
            inner.claim(request).await?.into_iter().partition(held);
        let leases: Vec<_> = back.into_iter().map(|one| one.lease).collect();
        inner.release(&leases).await?;
        Ok(claimed)
    }
}

#[derive(Debug, Default)]
struct RestWaits(HeldBack);
#[async_trait]
impl Bug for RestWaits {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        self.0.claim(inner, request).await
    }
    async fn mark_delivered(&self, inner: &dyn Store, done: &[Acknowledgement]) -> Marked {
        let replies = inner.mark_delivered(done).await?;
        for (reply, one) in replies.iter().zip(done) {
            if reply.is_ok() && pending(inner, &one.lease.run).await.is_some() {
                self.0.hold(&one.lease);
            }
        }
        Ok(replies)
    }
}

#[derive(Debug, Default)]
struct ReleaseWaits(HeldBack);
#[async_trait]
impl Bug for ReleaseWaits {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        self.0.claim(inner, request).await
    }
    async fn release(&self, inner: &dyn Store, leases: &[Lease]) -> Marked {
        let replies = inner.release(leases).await?;
        let released = replies
            .iter()
            .zip(leases)
            .filter(|(reply, _)| reply.is_ok());
        released.for_each(|(_, lease)| self.0.hold(lease));
        Ok(replies)
    }
}

/// How often each run was released since it was last acknowledged or failed.
#[derive(Debug, Default)]
struct Releases(Mutex<HashMap<RunKey, u32>>);
impl Releases {
    async fn release(&self, inner: &dyn Store, leases: &[Lease]) -> Marked {
        let replies = inner.release(leases).await?;
        for (_, lease) in replies
            .iter()
            .zip(leases)
            .filter(|(reply, _)| reply.is_ok())
        {
            *self
                .0
                .lock()
                .expect("notes")
                .entry(lease.run.clone())
                .or_insert(0) += 1;
        }
        Ok(replies)
    }
    fn of(&self, run: &RunKey) -> u32 {
        self.0.lock().expect("notes").get(run).copied().unwrap_or(0)
    }
}

#[derive(Debug, Default)]
struct ReleaseCountsAnAttempt(Releases);
#[async_trait]
impl Bug for ReleaseCountsAnAttempt {
    async fn release(&self, inner: &dyn Store, leases: &[Lease]) -> Marked {
        self.0.release(inner, leases).await
    }
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let mut claimed = inner.claim(request).await?;
        claimed
            .iter_mut()
            .for_each(|one| one.attempts += self.0.of(&one.lease.run));
        Ok(claimed)
    }
}

#[derive(Debug, Default)]
struct ReleasedGoesFirst(Releases);
#[async_trait]
impl Bug for ReleasedGoesFirst {
    async fn release(&self, inner: &dyn Store, leases: &[Lease]) -> Marked {
        self.0.release(inner, leases).await
    }
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        super::tools::claim_and_keep(inner, request, |claimed| {
            claimed.sort_by_key(|one| self.0.of(&one.lease.run) == 0);
        })
        .await
    }
}

type Listed = Result<Vec<PendingRun>, OutboxError>;

on!(UnfinishedNeverReset, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    runs.iter_mut().for_each(|run| run.unfinished_claims = run.claim_no as u32);
    Ok(runs)
});

#[derive(Debug, Default)]
struct ReleaseKeepsUnfinished(Releases);
#[async_trait]
impl Bug for ReleaseKeepsUnfinished {
    async fn release(&self, inner: &dyn Store, leases: &[Lease]) -> Marked {
        self.0.release(inner, leases).await
    }
    async fn list_pending(&self, inner: &dyn Store, query: &PendingQuery) -> Listed {
        let mut runs = inner.list_pending(query).await?;
        runs.iter_mut()
            .for_each(|run| run.unfinished_claims += self.0.of(&run.run));
        Ok(runs)
    }
}

on!(BeyondTheLease, mark_delivered(done: &[Acknowledgement]) -> Marked, |inner| {
    let mut done = done.to_vec();
    done.iter_mut().for_each(|one| one.lease.last_seq = u64::MAX);
    inner.mark_delivered(&done).await
});
on!(ExtendedLeaseCoversAll, extend(leases: &[Lease], by: Duration) -> Extended, |inner| {
    let mut replies = inner.extend(leases, by).await?;
    for lease in replies.iter_mut().flatten() {
        lease.last_seq = inner.get_run(&lease.run).await.map_or(lease.last_seq, |record| record.head);
    }
    Ok(replies)
});
