//! Calls that are dropped at every await, and whether what they leave behind is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use dvt_conformance::faults::dropped_everywhere;
use dvt_contracts::*;
use tokio::task::yield_now;

use crate::bug::Bug;
use crate::matrix::Mutated;
use crate::mutants::tools::Replies;
use crate::mutants::{CONTROL, on, on_append, planted};

/// The store alone has no awaits: this one gives every call some.
#[tokio::test(start_paused = true)]
async fn a_store_that_does_all_at_once_leaves_nothing_behind() {
    let drops = dropped_everywhere(Arc::new(Mutated(|| Arc::new(Yields))));
    let drops = drops.await.unwrap();
    println!("{drops}");
    assert!(drops.dropped >= 100 && drops.done > 10, "{drops}");
}

#[tokio::test(start_paused = true)]
async fn every_bug_of_dropped_calls_is_noticed() {
    let unnoticed = async |make| dropped_everywhere(Arc::new(Mutated(make))).await.err();
    assert_eq!(unnoticed(CONTROL.make).await, None);
    for bug in PLANTED {
        let found = unnoticed(bug.make).await;
        let told = found.map(|failure| failure.to_string()).unwrap_or_default();
        // Undropped it is right: a call that was never begun shows nothing.
        let is_of_drops = !told.is_empty() && !told.contains("dropped after 0 polls");
        assert!(is_of_drops, "{}: {told}", bug.name);
    }
}

planted! {
    AppendsInSteps => "it appends the events of a request one after another",
    MakesRunsInSteps => "it makes a run, and then appends its first events",
    SavesInSteps => "it saves a part of a provider reference first",
    ExtendsInSteps => "it lengthens a lease bit by bit",
    KeepsItsTurn => "a dropped append keeps its place in the queue",
    FinishesLater => "a dropped release is done when somebody asks for numbers",
}

/// Each call waits before its work and after it.
#[derive(Debug)]
struct Yields;

macro_rules! yields {
    ($($method:ident($($argument:ident: $type:ty),*) -> $reply:ty;)*) => {
        #[async_trait]
        impl Bug for Yields {$(
            async fn $method(&self, inner: &dyn Store, $($argument: $type),*) -> $reply {
                yield_now().await;
                let reply = inner.$method($($argument),*).await;
                yield_now().await;
                reply
            }
        )*}
    };
}

yields! {
    append_batch(requests: &[AppendRequest]) -> Replies;
    claim(request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError>;
    mark_delivered(all: &[Acknowledgement]) -> Result<Vec<Result<(), LeaseError>>, OutboxError>;
    mark_failed(lease: &Lease, seq: u64, error: &SafeText, policy: &RetryPolicy) -> Result<FailOutcome, OutboxError>;
    release(leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError>;
    extend(leases: &[Lease], by: std::time::Duration) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError>;
    prune_run(run: &RunKey) -> Result<PruneOutcome, StoreError>;
    park_run(run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError>;
    bind_destination(destination: &Destination) -> Result<(), OutboxError>;
    retarget(from: &Destination, to: &Destination, note: &OperatorNote) -> Result<(), OutboxError>;
    stats() -> Result<OutboxStats, OutboxError>;
}

on_append!(AppendsInSteps, |inner, requests| {
    let [request] = requests else {
        return inner.append_batch(requests).await;
    };
    let mut whole = AppendOutcome {
        head: 0,
        events: Vec::new(),
    };
    for event in &request.events {
        let part = AppendRequest::new(request.run.clone(), vec![event.clone()]);
        let outcome = inner.append_and_enqueue(part).await?;
        whole.head = outcome.head;
        whole.events.extend(outcome.events);
        yield_now().await;
    }
    Ok(vec![Ok(whole)])
});

on!(
    MakesRunsInSteps,
    bootstrap_run(request: &BootstrapRequest) -> Result<BootstrapOutcome, StoreError>,
    |inner| {
        if request.events.is_empty() || inner.get_run(&request.run).await.is_ok() {
            return inner.bootstrap_run(request).await;
        }
        let bare = BootstrapRequest { events: Vec::new(), ..request.clone() };
        let made = inner.bootstrap_run(&bare).await?;
        yield_now().await;
        let first = AppendRequest::new(request.run.clone(), request.events.clone());
        let events = inner.append_and_enqueue(first).await?.events;
        Ok(BootstrapOutcome { events, ..made })
    }
);

on!(
    SavesInSteps,
    save_provider_ref(run: &RunKey, reference: &ProviderRef) -> Result<(), StoreError>,
    |inner| {
        let (provider, workflow_id) = (reference.provider(), reference.workflow_id());
        let part = ProviderRef::new(provider, None, workflow_id, None).unwrap();
        inner.save_provider_ref(run, &part).await?;
        yield_now().await;
        inner.save_provider_ref(run, reference).await
    }
);

on!(
    ExtendsInSteps,
    extend(leases: &[Lease], by: std::time::Duration) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError>,
    |inner| {
        inner.extend(leases, by * 2 / 3).await?;
        yield_now().await;
        inner.extend(leases, by).await
    }
);

/// Whether somebody is in there.
#[derive(Debug, Default)]
struct KeepsItsTurn(AtomicBool);

#[async_trait]
impl Bug for KeepsItsTurn {
    async fn append_batch(&self, inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
        if self.0.swap(true, Ordering::SeqCst) {
            return Err(StoreError::transient(
                "append_batch",
                "somebody else is in there",
            ));
        }
        yield_now().await;
        let replies = inner.append_batch(requests).await;
        self.0.store(false, Ordering::SeqCst);
        replies
    }
}

/// What it began.
#[derive(Debug, Default)]
struct FinishesLater(std::sync::Mutex<Vec<Lease>>);

#[async_trait]
impl Bug for FinishesLater {
    async fn release(
        &self,
        inner: &dyn Store,
        leases: &[Lease],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError> {
        *self.0.lock().unwrap() = leases.to_vec();
        yield_now().await;
        self.0.lock().unwrap().clear();
        inner.release(leases).await
    }

    async fn stats(&self, inner: &dyn Store) -> Result<OutboxStats, OutboxError> {
        let stats = inner.stats().await;
        let begun = std::mem::take(&mut *self.0.lock().unwrap());
        inner.release(&begun).await?;
        stats
    }
}
