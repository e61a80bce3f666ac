use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dvt_contracts::Timestamp;

/// The store's clock: this machine's, shifted. Clones share the shift, so a test moves all handles at once.
///
/// All times that decide anything (leases, back-off, `persisted_at`) come from here, never from a caller.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    shift_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// Moves the clock; backwards if negative.
    pub fn shift(&self, seconds: i64) {
        self.shift_seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// What the clock shows, held within the range of [`Timestamp`].
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let shift = i128::from(self.shift_seconds.load(Ordering::SeqCst)) * 1_000_000;
        let micros = i128::from(Timestamp::now().as_micros()) + shift;
        Timestamp::from_micros(micros).unwrap_or(if micros < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }
}
