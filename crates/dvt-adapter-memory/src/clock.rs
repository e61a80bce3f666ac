use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dvt_contracts::Timestamp;

/// What a store takes the time from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    Manual(ManualClock),
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(clock) => clock.now(),
        }
    }
}

/// A clock that stands still until it is moved. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock {
    micros: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows this moment.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        Self {
            micros: Arc::new(AtomicI64::new(moment.as_micros())),
        }
    }

    /// The moment that it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let micros = self.micros.load(Ordering::SeqCst);
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let later = |micros| {
            Timestamp::from_micros(micros)
                .unwrap_or(Timestamp::MAX)
                .saturating_add(by)
        };
        let moved = |micros: i64| Some(later(micros).as_micros());
        let _ = self
            .micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Moves it to any moment, also an earlier one.
    pub fn set(&self, moment: Timestamp) {
        self.micros.store(moment.as_micros(), Ordering::SeqCst);
    }
}
