//! Bugs that show only when several callers come together, or one goes away in the middle. Each yields where a real
//! store would wait for its database.

use std::collections::HashSet;
use std::sync::Mutex;

use async_trait::async_trait;
use dvt_contracts::*;
use tokio::task::yield_now;

use super::tools::{Replies, accepted, log, rekey};
use super::{on_append, planted};
use crate::bug::Bug;

planted! {
    NumberTakenTooEarly => "numbers the events of a reply by a head that it read before it wrote",
    KeyCheckedTooEarly => "looks keys up before it writes, without holding on to them",
    HeadCheckedTooEarly => "checks the expected head before it writes, without holding on to it",
    RaceCalledConflict => "calls a head that moved during the call a conflict without looking the keys up again",
    LocksInCallOrder => "locks the runs of a call in the call's order, and gives up when that ends in a deadlock",
    TornPage => "reads the head of a page before its events",
    AppendInTwoSteps => "writes the first event of a request and the others in two steps",
    BootstrapInTwoSteps => "makes a run and writes its first events in two steps",
    BootstrapCheckedTooEarly => "looks whether the run is there before it makes it",
    ClaimTwice => "lets claims that come together take the same runs",
    SleepsForEver => "lets a run sleep that an event came to while the last one was acknowledged",
    PruneCheckedTooEarly => "looks whether a run is delivered before it prunes it",
    BindCheckedTooEarly => "looks whether a destination is bound before it binds one",
    RetryTwice => "lets every retry that found the dead letter open write its own resolution",
}

async fn head(inner: &dyn Store, run: &RunKey) -> u64 {
    inner.get_run(run).await.map_or(0, |record| record.head)
}

on_append!(NumberTakenTooEarly, |inner, requests| {
    let [request] = requests else {
        return inner.append_batch(requests).await;
    };
    let mut number = head(inner, &request.run).await;
    yield_now().await;
    let mut replies = inner.append_batch(requests).await;
    for event in accepted(&mut replies).flat_map(|outcome| &mut outcome.events) {
        if !event.is_duplicate() {
            number += 1;
            event.stored.run_seq = number;
        }
    }
    replies
});
on_append!(KeyCheckedTooEarly, |inner, requests| {
    let [request] = requests else {
        return inner.append_batch(requests).await;
    };
    let (log, before) = (
        log(inner, &request.run).await,
        head(inner, &request.run).await,
    );
    yield_now().await;
    let fresh = |event: &Event| {
        log.iter()
            .all(|stored| stored.event.idempotency_key() != event.idempotency_key())
    };
    let after = head(inner, &request.run).await;
    let mut request = request.clone();
    if after > before && request.events.iter().all(fresh) {
        for event in &mut request.events {
            *event = rekey(event, |key| format!("{key} {after}"));
        }
    }
    inner.append_batch(&[request]).await
});
on_append!(HeadCheckedTooEarly, |inner, requests| {
    let [request] = requests else {
        return inner.append_batch(requests).await;
    };
    let expected = head(inner, &request.run).await;
    yield_now().await;
    let mut request = request.clone();
    if request.expected == Expected::At(expected) {
        request.expected = Expected::Any;
    }
    inner.append_batch(&[request]).await
});
on_append!(RaceCalledConflict, |inner, requests| {
    let [request] = requests else {
        return inner.append_batch(requests).await;
    };
    let before = head(inner, &request.run).await;
    yield_now().await;
    let actual = head(inner, &request.run).await;
    match request.expected {
        Expected::At(expected) if expected == before && actual != before => {
            Ok(vec![Err(AppendError::VersionConflict {
                run: request.run.clone(),
                expected,
                actual,
            })])
        }
        _ => inner.append_batch(requests).await,
    }
});
on_append!(AppendInTwoSteps, |inner, requests| {
    let [request] = requests else {
        return inner.append_batch(requests).await;
    };
    if request.events.len() == 1
        || request.expected != Expected::Any
        || request.on_conflict == ConflictPolicy::Reject
    {
        return inner.append_batch(requests).await;
    }
    let (first, rest) = request.events.split_at(1);
    let part = |events: &[Event]| [AppendRequest::new(request.run.clone(), events.to_vec())];
    let mut replies = inner.append_batch(&part(first)).await?;
    yield_now().await;
    let rest = inner.append_batch(&part(rest)).await?;
    for (reply, rest) in replies.iter_mut().flatten().zip(rest.into_iter().flatten()) {
        reply.head = rest.head;
        reply.events.extend(rest.events);
    }
    Ok(replies)
});

#[derive(Debug, Default)]
struct LocksInCallOrder(Mutex<HashSet<RunKey>>);
#[async_trait]
impl Bug for LocksInCallOrder {
    async fn append_batch(&self, inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
        const PATIENCE: usize = 1_000;
        let mut held: Vec<RunKey> = Vec::new();
        for request in requests {
            let mut tries = 0;
            while !held.contains(&request.run)
                && !self.0.lock().expect("notes").insert(request.run.clone())
            {
                tries += 1;
                if tries == PATIENCE {
                    held.iter()
                        .for_each(|run| _ = self.0.lock().expect("notes").remove(run));
                    return Err(StoreError::transient("append_batch", "deadlock detected"));
                }
                yield_now().await;
            }
            held.push(request.run.clone());
            if requests.len() > 1 {
                yield_now().await;
            }
        }
        let replies = inner.append_batch(requests).await;
        held.iter()
            .for_each(|run| _ = self.0.lock().expect("notes").remove(run));
        replies
    }
}

#[derive(Debug, Default)]
struct TornPage;
#[async_trait]
impl Bug for TornPage {
    async fn list_events(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let head = inner.list_events(run, after_seq, limit).await?.head;
        yield_now().await;
        let page = inner.list_events(run, after_seq, limit).await?;
        Ok(EventPage { head, ..page })
    }
}

#[derive(Debug, Default)]
struct BootstrapInTwoSteps;
#[async_trait]
impl Bug for BootstrapInTwoSteps {
    async fn bootstrap_run(
        &self,
        inner: &dyn Store,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        if inner.get_run(&request.run).await.is_ok() || request.events.is_empty() {
            return inner.bootstrap_run(request).await;
        }
        let nothing = BootstrapRequest {
            events: Vec::new(),
            ..request.clone()
        };
        let made = inner.bootstrap_run(&nothing).await?;
        yield_now().await;
        let append = AppendRequest::new(request.run.clone(), request.events.clone());
        let appended = inner.append_and_enqueue(append).await?;
        Ok(BootstrapOutcome {
            events: appended.events,
            ..made
        })
    }
}

#[derive(Debug, Default)]
struct BootstrapCheckedTooEarly;
#[async_trait]
impl Bug for BootstrapCheckedTooEarly {
    async fn bootstrap_run(
        &self,
        inner: &dyn Store,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        let missing = inner.get_run(&request.run).await.is_err();
        yield_now().await;
        let outcome = inner.bootstrap_run(request).await?;
        Ok(BootstrapOutcome {
            created: missing || outcome.created,
            ..outcome
        })
    }
}

#[derive(Debug, Default)]
struct ClaimTwice(Mutex<(usize, Vec<ClaimedRun>)>);
#[async_trait]
impl Bug for ClaimTwice {
    async fn claim(
        &self,
        inner: &dyn Store,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, OutboxError> {
        self.0.lock().expect("notes").0 += 1;
        yield_now().await;
        let mut claimed = inner.claim(request).await?;
        let mut notes = self.0.lock().expect("notes");
        if claimed.is_empty() && notes.0 > 1 {
            claimed = notes.1.clone();
        }
        notes.1 = claimed.clone();
        notes.0 -= 1;
        Ok(claimed)
    }
}

#[derive(Debug, Default)]
struct RetryTwice;
#[async_trait]
impl Bug for RetryTwice {
    async fn retry_dead_letter(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let open = DeadLetterQuery {
            open_only: true,
            ..DeadLetterQuery::default()
        };
        let was_open = inner
            .list_dead_letters(&open)
            .await?
            .iter()
            .any(|letter| letter.run == *run && letter.dead_letter_no == dead_letter_no);
        yield_now().await;
        let mut letter = inner.retry_dead_letter(run, dead_letter_no, note).await?;
        if let (true, Some(resolution)) = (was_open, &mut letter.resolution) {
            resolution.note = note.clone();
        }
        Ok(letter)
    }
}

/// Whether an acknowledgement is under way that found nothing behind it, and the runs that an append came to meanwhile.
#[derive(Debug, Default)]
struct SleepsForEver(Mutex<(usize, HashSet<RunKey>)>);
#[async_trait]
impl Bug for SleepsForEver {
    async fn mark_delivered(
        &self,
        inner: &dyn Store,
        done: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        self.0.lock().expect("notes").0 += 1;
        yield_now().await;
        let replies = inner.mark_delivered(done).await;
        self.0.lock().expect("notes").0 -= 1;
        replies
    }
    async fn append_batch(&self, inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
        {
            let mut notes = self.0.lock().expect("notes");
            let asleep = notes.0 > 0;
            for request in requests {
                if asleep {
                    notes.1.insert(request.run.clone());
                } else {
                    notes.1.remove(&request.run);
                }
            }
        }
        inner.append_batch(requests).await
    }
    async fn claim(
        &self,
        inner: &dyn Store,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, OutboxError> {
        let mut claimed = inner.claim(request).await?;
        claimed.retain(|one| !self.0.lock().expect("notes").1.contains(&one.lease.run));
        Ok(claimed)
    }
}

#[derive(Debug, Default)]
struct PruneCheckedTooEarly;
#[async_trait]
impl Bug for PruneCheckedTooEarly {
    async fn prune_run(&self, inner: &dyn Store, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        let before = inner.get_run(run).await?;
        yield_now().await;
        match inner.prune_run(run).await {
            Err(StoreError::NotPrunable { head, .. })
                if before.status.is_terminal() && before.delivered_seq == before.head =>
            {
                Ok(PruneOutcome {
                    pruned_at: before.created_at,
                    removed: head,
                })
            }
            reply => reply,
        }
    }
}

#[derive(Debug, Default)]
struct BindCheckedTooEarly;
#[async_trait]
impl Bug for BindCheckedTooEarly {
    async fn bind_destination(
        &self,
        inner: &dyn Store,
        destination: &Destination,
    ) -> Result<(), OutboxError> {
        let free = inner.stats().await?.destination.is_none();
        yield_now().await;
        match inner.bind_destination(destination).await {
            Err(OutboxError::DestinationMismatch { .. }) if free => Ok(()),
            reply => reply,
        }
    }
}
