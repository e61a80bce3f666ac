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

    /// Takes note of a claim: the floor that it used, none if it swept, and the oldest due time that it met. One that began
    /// before the floor changed changes nothing: it has not seen what the sweep found below.
    pub(crate) fn met(&self, used: Option<Timestamp>, oldest: Option<Timestamp>) {
        let mut state = self.lock();
        let swept = used.is_none();
        if !swept && state.map(|state| state.floor) != used {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Timestamp::from_micros(seconds * 1_000_000).ok()
    }

    #[test]
    fn a_claim_from_before_a_sweep_does_not_raise_the_floor_again() {
        let floor = Floor::default();
        floor.met(None, at(1_000));
        let before = floor.next();
        floor.met(None, at(500));
        let found = floor.next();

        floor.met(before, at(1_001));

        assert!(found < before);
        assert_eq!(floor.next(), found);
        floor.met(found, at(600));
        assert!(floor.next() > found);
    }

    #[test]
    fn nothing_found_means_a_sweep_next() {
        let floor = Floor::default();
        floor.met(None, at(1_000));

        floor.met(None, None);

        assert_eq!(floor.next(), None);
    }
}
