//! Times of a real store, laid on the model's clock.
//!
//! The model's clock stands still unless a history moves it, by whole steps. A real store's goes on by itself, by
//! far less than half a step in a history, so rounding to whole steps makes both comparable.

use std::time::Duration;

use dvt_contracts::{
    AppendError, AppendOutcome, BootstrapOutcome, DeadLetter, EventPage, FailOutcome, OutboxStats,
    PendingRun, PendingState, PruneOutcome, RunEvent, RunRecord, StoreError, Timestamp,
};

/// The model's unit of time.
pub(super) const STEP: Duration = Duration::from_secs(50);

/// The moment at which every history begins on the model's clock.
pub(super) fn model_start() -> Timestamp {
    Timestamp::MIN.saturating_add(Duration::from_secs(1_000_000_000))
}

/// Where a store's clock stood when the history began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) start: Timestamp,
}

impl Grid {
    fn time(self, moment: &mut Timestamp) {
        let mut age = moment.saturating_since(self.start);
        self.age(&mut age);
        *moment = model_start().saturating_add(age);
    }

    fn age(self, age: &mut Duration) {
        let steps = (age.as_micros() + STEP.as_micros() / 2) / STEP.as_micros();
        *age = STEP * u32::try_from(steps).unwrap_or(u32::MAX);
    }

    /// A moment of the model's clock on the store's.
    pub(super) fn unsnap(self, moment: Timestamp) -> Timestamp {
        self.start
            .saturating_add(moment.saturating_since(model_start()))
    }

    /// The value with all its times on the model's clock.
    pub(super) fn snap<T: Snap>(self, mut value: T) -> T {
        value.snap(self);
        value
    }
}

/// Has store times in it.
pub(super) trait Snap {
    fn snap(&mut self, grid: Grid);
}

macro_rules! snap {
    ($($type:ty: |$value:ident, $grid:ident| $body:expr;)*) => {$(
        impl Snap for $type {
            fn snap(&mut self, $grid: Grid) {
                let $value = self;
                $body
            }
        }
    )*};
}

snap! {
    (): |_unit, _grid| ();
    Timestamp: |moment, grid| grid.time(moment);
    RunEvent: |event, grid| grid.time(&mut event.persisted_at);
    AppendOutcome: |outcome, grid| {
        outcome.events.iter_mut().for_each(|event| event.stored.snap(grid));
    };
    BootstrapOutcome: |outcome, grid| {
        grid.time(&mut outcome.created_at);
        outcome.events.iter_mut().for_each(|event| event.stored.snap(grid));
    };
    RunRecord: |record, grid| {
        grid.time(&mut record.created_at);
        record.pruned_at.snap(grid);
    };
    EventPage: |page, grid| {
        page.pruned_at.snap(grid);
        page.events.snap(grid);
    };
    PruneOutcome: |outcome, grid| grid.time(&mut outcome.pruned_at);
    PendingRun: |pending, grid| {
        grid.time(&mut pending.pending_since);
        match &mut pending.state {
            PendingState::Due => {}
            PendingState::Leased { until } | PendingState::BackingOff { until } => grid.time(until),
            PendingState::Parked { since, .. } => grid.time(since),
        }
    };
    DeadLetter: |letter, grid| {
        grid.time(&mut letter.dead_at);
        if let Some(resolution) = &mut letter.resolution {
            grid.time(&mut resolution.at);
        }
    };
    OutboxStats: |stats, grid| {
        if let Some(age) = &mut stats.oldest_pending_age {
            grid.age(age);
        }
        if let Some(change) = &mut stats.last_retarget {
            grid.time(&mut change.at);
        }
    };
    FailOutcome: |outcome, grid| {
        if let FailOutcome::BackingOff { until } = outcome {
            grid.time(until);
        }
    };
    AppendError: |error, grid| match error {
        AppendError::RunPruned { pruned_at, .. } => grid.time(pruned_at),
        AppendError::IdempotencyConflict { stored: Some(stored), .. } => stored.snap(grid),
        _ => {}
    };
    StoreError: |error, grid| match error {
        StoreError::RunPruned { pruned_at, .. } => grid.time(pruned_at),
        StoreError::Append(error) => error.snap(grid),
        _ => {}
    };
}

impl<T: Snap> Snap for Option<T> {
    fn snap(&mut self, grid: Grid) {
        self.iter_mut().for_each(|value| value.snap(grid));
    }
}

impl<T: Snap> Snap for Vec<T> {
    fn snap(&mut self, grid: Grid) {
        self.iter_mut().for_each(|value| value.snap(grid));
    }
}

impl<T: Snap, E: Snap> Snap for Result<T, E> {
    fn snap(&mut self, grid: Grid) {
        match self {
            Ok(value) => value.snap(grid),
            Err(error) => error.snap(grid),
        }
    }
}
