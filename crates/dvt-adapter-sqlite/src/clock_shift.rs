use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Moves the store's clock against this machine's, for tests. Clones move together.
#[derive(Debug, Clone, Default)]
pub struct ClockShift {
    micros: Arc<AtomicI64>,
}

impl ClockShift {
    /// Moves the clock by this many more seconds; backwards if negative.
    pub fn advance(&self, seconds: i64) {
        let micros = seconds.saturating_mul(1_000_000);
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// How far the clock is ahead of this machine's, in microseconds.
    pub(crate) fn micros(&self) -> i64 {
        self.micros.load(Ordering::SeqCst)
    }
}
