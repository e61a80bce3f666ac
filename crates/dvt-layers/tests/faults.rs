//! The layers over a store under faults: whatever fails below, nothing is lost, doubled, disordered or torn.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_conformance::faults::{FaultPlan, FaultStore, Rates, campaigns, dropped_everywhere};
use dvt_conformance::{Harness, Through, async_trait};
use dvt_contracts::{BoxError, Store, Timestamp};
use dvt_layers::{GroupCommit, TransitionGuard};

/// How many seeds each test plays.
const SEEDS: u64 = 40;

type Faulty = FaultStore<Arc<dyn Store>>;

struct Memory;

struct Space {
    store: MemoryStore,
    clock: ManualClock,
}

#[async_trait]
impl Harness for Memory {
    type Space = Space;

    async fn create(&self) -> Result<Space, BoxError> {
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse()?);
        let store = MemoryStore::with_clock(clock.clone());
        Ok(Space { store, clock })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        Ok(Arc::new(space.store.clone()))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        let micros = space.clock.now().as_micros() + seconds * 1_000_000;
        space.clock.set(Timestamp::from_micros(micros)?);
        Ok(())
    }
}

async fn keeps_everything(layer: fn(Faulty) -> Arc<dyn Store>) {
    let memory = Arc::new(Memory);
    let played = campaigns(memory, SEEDS, layer);
    played.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn group_commit_keeps_everything() {
    keeps_everything(|store| Arc::new(GroupCommit::new(store))).await;
}

#[tokio::test(start_paused = true)]
async fn group_commit_with_several_flights_keeps_everything() {
    let flights = |store| -> Arc<dyn Store> {
        let flights = NonZeroUsize::new(3).unwrap();
        Arc::new(GroupCommit::with_flights(store, flights))
    };
    keeps_everything(flights).await;
}

#[tokio::test(start_paused = true)]
async fn transition_guard_keeps_everything() {
    keeps_everything(|store| Arc::new(TransitionGuard::new(store))).await;
}

/// One that forgets most states, and has to read them under faults.
#[tokio::test(start_paused = true)]
async fn a_forgetful_transition_guard_keeps_everything() {
    let forgetful = |store| -> Arc<dyn Store> {
        Arc::new(TransitionGuard::with_capacity(store, NonZeroUsize::MIN))
    };
    keeps_everything(forgetful).await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_over_group_commit_keeps_everything() {
    keeps_everything(|store| Arc::new(TransitionGuard::new(GroupCommit::new(store)))).await;
}

#[tokio::test(start_paused = true)]
async fn group_commit_over_a_guard_keeps_everything() {
    keeps_everything(|store| Arc::new(GroupCommit::new(TransitionGuard::new(store)))).await;
}

/// A store whose calls have awaits, before their work and after it.
fn waits(store: Arc<dyn Store>) -> Faulty {
    let always = Rates {
        delayed: 1_000,
        ..Rates::NONE
    };
    FaultStore::new(
        store,
        FaultPlan::new(1)
            .with_rates(always)
            .with_longest_delay(Duration::from_millis(3)),
    )
}

/// CASES D 32.
#[tokio::test(start_paused = true)]
async fn calls_of_group_commit_may_be_dropped_at_every_await() {
    let layer = Through::new(Memory, |store| Arc::new(GroupCommit::new(waits(store))));
    println!("{}", dropped_everywhere(Arc::new(layer)).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_transition_guard_may_be_dropped_at_every_await() {
    let layer = Through::new(Memory, |store| Arc::new(TransitionGuard::new(waits(store))));
    println!(
        "{}",
        dropped_everywhere(Arc::new(layer.judging())).await.unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn calls_of_both_layers_may_be_dropped_at_every_await() {
    let both = |store| -> Arc<dyn Store> {
        Arc::new(TransitionGuard::new(GroupCommit::new(waits(store))))
    };
    let layer = Through::new(Memory, both).judging();
    println!("{}", dropped_everywhere(Arc::new(layer)).await.unwrap());
}
