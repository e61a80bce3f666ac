use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dvt_contracts::Timestamp;

/// Below what due time a claim need not look.
///
/// Every claim and acknowledgement moves a run's due time, and the entries left behind pile up at the low end of its index
/// while an old snapshot keeps vacuum from removing them. A claim that begins at the floor does not walk over them: with the
/// horizon pinned for a minute its median stayed at 0.4 ms instead of rising to 36. What becomes due below the floor, after a
/// clock stepped back or a slow commit, is found by a sweep: a claim without a floor.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    state: Mutex<Option<State>>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    floor: Timestamp,
    swept_at: Instant,
}

/// How far below the oldest due time of the last claim the floor lies: longer than a commit usually takes.
const SLACK: Duration = Duration::from_millis(100);
/// How often a sweep goes without the floor.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Floor {
    /// The floor for the next claim; `None` if it is time for a sweep.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let state = *self.lock();
        state
            .filter(|state| state.swept_at.elapsed() < SWEEP_EVERY)
            .map(|state| state.floor)
    }

    /// Takes note of a claim: whether it swept, and the oldest due time that it met.
    pub(crate) fn met(&self, swept: bool, oldest: Option<Timestamp>) {
        let mut state = self.lock();
        let Some(oldest) = oldest else {
            *state = None;
            return;
        };
        let slack = i128::try_from(SLACK.as_micros()).unwrap_or(0);
        let floor = Timestamp::from_micros(i128::from(oldest.as_micros()) - slack);
        let swept_at = match *state {
            Some(before) if !swept => before.swept_at,
            _ => Instant::now(),
        };
        *state = Some(State {
            floor: floor.unwrap_or(Timestamp::MIN),
            swept_at,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A moment and a floor: whole whatever happened.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
