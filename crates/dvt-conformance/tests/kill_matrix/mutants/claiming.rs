//! Bugs in claims: which runs, which events, in which order, for how long.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::{Claimed, claim_and_keep, log};
use super::{on, planted};
use crate::bug::Bug;

planted! {
    ClaimRepeatsTheLast => "begins a claim with the last event that was delivered",
    ClaimForgetsTheEngine => "hands events out with engine attempt 1",
    OneRunTooMany => "claims one run more than asked for",
    ZeroRunsIsOne => "claims a run when asked for none",
    OneEventTooMany => "claims one event of a run more than asked for",
    ZeroEventsIsOne => "claims an event when asked for none",
    BytesIgnored => "claims any number of bytes",
    BytesHalved => "claims only half as many bytes as allowed",
    LargeFirstLeftOut => "claims nothing if the first event is larger than the byte bound",
    ClaimNoStandsStill => "gives every claim the number 1",
    ClaimNoSkips => "raises the number of a claim by two",
    BytesPerRun => "holds each run to the byte bound instead of the whole claim",
    UnfinishedUntold => "tells one unfinished claim with each claim",
    ClaimUnbounded => "claims any number of runs",
    TokenPerRun => "gives all claims of a run the same token",
    LeaseShared => "hands a leased run out again when nothing else is due",
    SuspectsInCompany => "claims a run together with others, however often it went unfinished",
    SuspectTooEarly => "claims a run alone after two unfinished claims",
    LeaseTooShort => "lets leases end after a quarter of their time",
    LeaseTooLong => "lets leases last ten times their time",
    ExpiryUntold => "tells the beginning of a lease as its end",
    LeaseLengthUnchecked => "takes leases of any length",
    ExpiredEventsPassedOver => "goes on behind the events of an expired lease",
    KeyOrder => "takes due runs in the order of their keys",
    NewestFirst => "takes the runs first that became due last",
    HeadFailsGap => "passes over an event after its delivery failed",
    UnderLeaseTooEarly => "adds events to a lease that were appended after the claim",
}

on!(ClaimRepeatsTheLast, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    for one in &mut claimed {
        let first = one.events.first().map_or(0, |event| event.run_seq);
        let log = log(inner, &one.lease.run).await;
        one.events.splice(..0, log.into_iter().filter(|event| event.run_seq + 1 == first));
    }
    Ok(claimed)
});
on!(ClaimForgetsTheEngine, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    for event in claimed.iter_mut().flat_map(|one| &mut one.events) {
        event.event = event.event.clone().with_engine_attempt(Attempt::FIRST);
    }
    Ok(claimed)
});
on!(OneRunTooMany, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let max_runs = if request.max_runs == 0 { 0 } else { request.max_runs.saturating_add(1) };
    inner.claim(&ClaimRequest { max_runs, ..*request }).await
});
on!(ZeroRunsIsOne, claim(request: &ClaimRequest) -> Claimed, |inner| {
    inner.claim(&ClaimRequest { max_runs: request.max_runs.max(1), ..*request }).await
});
on!(OneEventTooMany, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let max = request.max_events_per_run;
    let max_events_per_run = if max == 0 { 0 } else { max.saturating_add(1) };
    inner.claim(&ClaimRequest { max_events_per_run, ..*request }).await
});
on!(ZeroEventsIsOne, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let max_events_per_run = request.max_events_per_run.max(1);
    inner.claim(&ClaimRequest { max_events_per_run, ..*request }).await
});
on!(BytesIgnored, claim(request: &ClaimRequest) -> Claimed, |inner| {
    inner.claim(&ClaimRequest { max_bytes: u64::MAX, ..*request }).await
});
on!(BytesHalved, claim(request: &ClaimRequest) -> Claimed, |inner| {
    inner.claim(&ClaimRequest { max_bytes: request.max_bytes / 2, ..*request }).await
});
on!(LargeFirstLeftOut, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    claimed.retain(|one| {
        let size = one.events.first().map_or(0, |event| event.event.payload().size());
        size as u64 <= request.max_bytes
    });
    Ok(claimed)
});
on!(ClaimNoStandsStill, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    claimed.iter_mut().for_each(|one| one.lease.claim_no = 1);
    Ok(claimed)
});
on!(ClaimNoSkips, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    claimed.iter_mut().for_each(|one| one.lease.claim_no = one.lease.claim_no * 2 - 1);
    Ok(claimed)
});
on!(SuspectsInCompany, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    let left = request.max_runs.saturating_sub(claimed.len() as u32);
    claimed.extend(inner.claim(&ClaimRequest { max_runs: left, ..*request }).await?);
    Ok(claimed)
});
on!(SuspectTooEarly, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let pending = inner.list_pending(&PendingQuery::default()).await?;
    let suspect = |run: &PendingRun| run.state == PendingState::Due && run.unfinished_claims == 2;
    let max_runs = if pending.iter().any(suspect) { request.max_runs.min(1) } else { request.max_runs };
    inner.claim(&ClaimRequest { max_runs, ..*request }).await
});
on!(LeaseTooShort, claim(request: &ClaimRequest) -> Claimed, |inner| {
    inner.claim(&ClaimRequest { lease: (request.lease / 4).max(MIN_LEASE.min(request.lease)), ..*request }).await
});
on!(LeaseTooLong, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let lease = if request.lease * 10 > MAX_LEASE { request.lease } else { request.lease * 10 };
    inner.claim(&ClaimRequest { lease, ..*request }).await
});
on!(ExpiryUntold, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    for one in &mut claimed {
        let end = one.lease.expires_at.as_micros() - request.lease.as_micros() as i64;
        one.lease.expires_at = Timestamp::from_micros(end).unwrap_or(Timestamp::MIN);
    }
    Ok(claimed)
});
on!(LeaseLengthUnchecked, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let lease = request.lease.clamp(MIN_LEASE, MAX_LEASE);
    inner.claim(&ClaimRequest { lease, ..*request }).await
});
on!(KeyOrder, claim(request: &ClaimRequest) -> Claimed, |inner| {
    claim_and_keep(inner, request, |claimed| {
        claimed.sort_by(|a, b| a.lease.run.cmp(&b.lease.run));
    })
    .await
});
on!(NewestFirst, claim(request: &ClaimRequest) -> Claimed, |inner| {
    claim_and_keep(inner, request, |claimed| claimed.reverse()).await
});
on!(HeadFailsGap, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    for one in &mut claimed {
        if one.attempts > 0 && one.events.len() > 1 {
            one.events.remove(0);
        }
    }
    Ok(claimed)
});

/// The first token of each run, and the lease that it stands for now.
#[derive(Debug, Default)]
struct TokenPerRun(Mutex<HashMap<RunKey, (LeaseToken, Lease)>>);
impl TokenPerRun {
    fn real(&self, lease: &Lease) -> Lease {
        match self.0.lock().expect("notes").get(&lease.run) {
            Some((token, real)) if *token == lease.token => real.clone(),
            _ => lease.clone(),
        }
    }
}
#[async_trait]
impl Bug for TokenPerRun {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let mut claimed = inner.claim(request).await?;
        for one in &mut claimed {
            let mut notes = self.0.lock().expect("notes");
            let fresh = (one.lease.token, one.lease.clone());
            let (token, real) = notes.entry(one.lease.run.clone()).or_insert(fresh);
            *real = one.lease.clone();
            one.lease.token = *token;
        }
        Ok(claimed)
    }
    async fn mark_delivered(
        &self,
        inner: &dyn Store,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let real: Vec<_> = acknowledgements
            .iter()
            .map(|done| Acknowledgement {
                lease: self.real(&done.lease),
                through: done.through,
            })
            .collect();
        inner.mark_delivered(&real).await
    }
    async fn release(
        &self,
        inner: &dyn Store,
        leases: &[Lease],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let real: Vec<_> = leases.iter().map(|lease| self.real(lease)).collect();
        inner.release(&real).await
    }
}

#[derive(Debug, Default)]
struct LeaseShared(Mutex<Vec<ClaimedRun>>);
#[async_trait]
impl Bug for LeaseShared {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let claimed = inner.claim(request).await?;
        if !claimed.is_empty() {
            *self.0.lock().expect("notes") = claimed.clone();
            return Ok(claimed);
        }
        let leased: Vec<RunKey> = inner
            .list_pending(&PendingQuery::default())
            .await?
            .into_iter()
            .filter(|run| matches!(run.state, PendingState::Leased { .. }))
            .map(|run| run.run)
            .collect();
        let mut last = self.0.lock().expect("notes").clone();
        last.retain(|one| leased.contains(&one.lease.run));
        last.truncate(request.max_runs as usize);
        Ok(last)
    }
}

/// The last event handed out of each run.
#[derive(Debug, Default)]
struct ExpiredEventsPassedOver(Mutex<HashMap<RunKey, u64>>);
#[async_trait]
impl Bug for ExpiredEventsPassedOver {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let mut unfinished = HashMap::new();
        for run in inner.list_pending(&PendingQuery::default()).await? {
            unfinished.insert(run.run, run.unfinished_claims);
        }
        let mut claimed = inner.claim(request).await?;
        for one in &mut claimed {
            let run = &one.lease.run;
            let handed = self.0.lock().expect("notes").get(run).copied().unwrap_or(0);
            if unfinished.get(run) > Some(&0) {
                one.events.retain(|event| event.run_seq > handed);
            }
            let last = one.events.last().map_or(handed, |event| event.run_seq);
            self.0.lock().expect("notes").insert(run.clone(), last);
        }
        claimed.retain(|one| !one.events.is_empty());
        Ok(claimed)
    }
}

/// An acknowledgement of all that was claimed takes what came later with it.
#[derive(Debug, Default)]
struct UnderLeaseTooEarly(Mutex<HashMap<LeaseToken, u64>>);
#[async_trait]
impl Bug for UnderLeaseTooEarly {
    async fn claim(&self, inner: &dyn Store, request: &ClaimRequest) -> Claimed {
        let claimed = inner.claim(request).await?;
        for one in &claimed {
            let last = one.events.last().map_or(0, |event| event.run_seq);
            self.0.lock().expect("notes").insert(one.lease.token, last);
        }
        Ok(claimed)
    }
    async fn mark_delivered(
        &self,
        inner: &dyn Store,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        let mut all = acknowledgements.to_vec();
        for done in &mut all {
            let head = inner
                .get_run(&done.lease.run)
                .await
                .map_or(0, |record| record.head);
            if self.0.lock().expect("notes").get(&done.lease.token) == Some(&done.through) {
                done.through = head;
                done.lease.last_seq = head;
            }
        }
        inner.mark_delivered(&all).await
    }
}

on!(UnfinishedUntold, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    claimed.iter_mut().for_each(|one| one.unfinished_claims = 1);
    Ok(claimed)
});
on!(BytesPerRun, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = Vec::new();
    for _ in 0..request.max_runs.min(MAX_CLAIM) {
        let mut one = inner.claim(&ClaimRequest { max_runs: 1, ..*request }).await?;
        let alone = one.iter().any(|one| one.unfinished_claims > UNFINISHED_CLAIMS_ALONE);
        let last = one.is_empty() || alone;
        claimed.append(&mut one);
        if last {
            break;
        }
    }
    Ok(claimed)
});
on!(ClaimUnbounded, claim(request: &ClaimRequest) -> Claimed, |inner| {
    let mut claimed = inner.claim(request).await?;
    if claimed.len() == MAX_CLAIM as usize && request.max_runs > MAX_CLAIM {
        claimed.extend(inner.claim(request).await?);
    }
    Ok(claimed)
});
