//! The differential test can fail, and tells where.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::sync::Arc;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_conformance::{Contestant, Harness, async_trait, differ};
use dvt_contracts::{BoxError, Store, Timestamp};

/// A store in memory, whose clock can be told to run at another speed.
struct Memory {
    speed: i64,
}

struct Space {
    store: MemoryStore,
    clock: ManualClock,
}

#[async_trait]
impl Harness for Memory {
    type Space = Space;

    async fn create(&self) -> Result<Space, BoxError> {
        let clock = ManualClock::at(Timestamp::now());
        let store = MemoryStore::with_clock(clock.clone());
        Ok(Space { store, clock })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        Ok(Arc::new(space.store.clone()))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        let micros = space.clock.now().as_micros() + self.speed * seconds * 1_000_000;
        space.clock.set(Timestamp::from_micros(micros)?);
        Ok(())
    }
}

async fn contestants(speeds: [i64; 2]) -> Vec<Contestant> {
    let [one, two] = speeds;
    vec![
        Contestant::new("one", Memory { speed: one }).await.unwrap(),
        Contestant::new("two", Memory { speed: two }).await.unwrap(),
    ]
}

#[tokio::test]
async fn equal_stores_play_every_history_to_its_end() {
    let played = differ(&contestants([1, 1]).await, 200).await.unwrap();

    assert_eq!((played.whole, played.parted), (200, 0));
}

#[tokio::test]
async fn a_store_that_differs_is_named_with_the_calls_that_led_there() {
    let failure = differ(&contestants([1, 2]).await, 200).await.unwrap_err();

    let told = failure.to_string();
    for part in [
        "two differs from the model",
        "Advance",
        "expected: ",
        "one: ",
        "two: ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
