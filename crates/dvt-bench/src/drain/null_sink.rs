use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey};

/// Takes everything and keeps nothing but how far each run came.
#[derive(Debug, Default)]
pub(crate) struct NullSink {
    events: AtomicU64,
    last: Mutex<HashMap<RunKey, u64>>,
    is_out_of_order: AtomicU64,
}

impl NullSink {
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// How many events came that did not follow the one before them in their run.
    pub(crate) fn out_of_order(&self) -> u64 {
        self.is_out_of_order.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl EventSink for NullSink {
    async fn publish(&self, run: &RunKey, _claim_no: u64, events: &[RunEvent]) -> Published {
        if let Ok(mut last) = self.last.lock() {
            let last = last.entry(run.clone()).or_default();
            for event in events {
                let follows = event.run_seq == *last + 1;
                *last = event.run_seq;
                self.is_out_of_order
                    .fetch_add(u64::from(!follows), Ordering::Relaxed);
            }
        }
        self.events
            .fetch_add(events.len() as u64, Ordering::Relaxed);
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}
