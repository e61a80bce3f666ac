//! The conformance suite on the memory store.

use std::sync::Arc;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_conformance::faults::{campaigns, dropped_everywhere};
use dvt_conformance::{Harness, Through, async_trait, suite};
use dvt_contracts::{BoxError, Store, Timestamp};

struct Memory {
    histories: u32,
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
        Ok(Space {
            store: MemoryStore::with_clock(clock.clone()),
            clock,
        })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        Ok(Arc::new(space.store.clone()))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        let micros = space.clock.now().as_micros() + seconds * 1_000_000;
        space.clock.set(Timestamp::from_micros(micros)?);
        Ok(())
    }

    fn histories(&self) -> u32 {
        self.histories
    }
}

suite!(Memory { histories: 10_000 });

/// The same through one more `Arc<dyn Store>`.
mod through_arc {
    use super::*;

    suite!(Through::new(Memory { histories: 500 }, |store| Arc::new(
        store
    )));
}

/// CASES D 32.
#[tokio::test(start_paused = true)]
async fn calls_may_be_dropped_at_every_await() {
    let memory = Arc::new(Memory { histories: 0 });
    println!("{}", dropped_everywhere(memory).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_under_faults() {
    let memory = Arc::new(Memory { histories: 0 });
    campaigns(memory, 5, |faulty| Arc::new(faulty))
        .await
        .unwrap();
}
