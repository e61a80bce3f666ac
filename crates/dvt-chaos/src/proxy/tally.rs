use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::counts::{Counts, Traffic};
use super::fault::{Direction, Fault};

/// Counts what a proxy does.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: Mutex<Counts>,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

impl Tally {
    pub(super) fn connected(&self) {
        self.lock().connections += 1;
    }

    pub(super) fn hit(&self, fault: &Fault, in_flight: u64) {
        let mut counts = self.lock();
        let hits = counts.hits.entry(fault.kind()).or_default();
        hits.times += 1;
        hits.in_flight += in_flight;
    }

    pub(super) fn passed(&self, direction: Direction, count: u64) {
        let counter = match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        };
        counter.fetch_add(count, Ordering::SeqCst);
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            to_server: self.to_server.load(Ordering::SeqCst),
            to_client: self.to_client.load(Ordering::SeqCst),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
