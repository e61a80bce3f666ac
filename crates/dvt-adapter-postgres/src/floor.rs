use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dvt_contracts::Timestamp;

/// Below what due time a claim need not look.
///
/// Every claim and acknowledgement moves a run's due time, and the entries left behind pile up at the low end of its index
/// while an old snapshot keeps vacuum from removing them. A claim that begins at the floor does not walk over them: with the
/// horizon pinned for a minute its median stayed at 0.4 ms instead of rising to 36. What becomes due below the floor, after a
/// clock stepped back or a slow commit, is found by a sweep: a claim without a floor. It walks over all of them, so the longer
/// that took, the later the next one goes.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    state: Mutex<Option<State>>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    floor: Timestamp,
    sweep_at: Instant,
    /// How long the last claim took that had a floor.
    usual: Option<Duration>,
}

/// How far below the oldest due time of the last claim the floor lies: longer than a commit usually takes.
const SLACK: Duration = Duration::from_millis(100);
/// What sweeps take longer than other claims is a hundredth of the time at most …
const SWEEP_SHARE: u32 = 100;
/// … but they need not be rarer than once a second, and are not rarer than this.
const SWEEP_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10);

impl Floor {
    /// The floor for the next claim; `None` if it is time for a sweep.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let state = *self.lock();
        state
            .filter(|state| Instant::now() < state.sweep_at)
            .map(|state| state.floor)
    }

    /// Takes note of a claim: the floor that it used, none if it swept, the oldest due time that it met, and how long it took.
    /// One that began before the floor changed changes nothing: it has not seen what the sweep found below.
    pub(crate) fn met(&self, used: Option<Timestamp>, oldest: Option<Timestamp>, took: Duration) {
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
        let usual = state.and_then(|state| state.usual);
        let (sweep_at, usual) = match *state {
            Some(before) if !swept => (before.sweep_at, Some(took)),
            _ => (Instant::now() + pause(took, usual), usual),
        };
        *state = Some(State {
            floor: floor.unwrap_or(Timestamp::MIN),
            sweep_at,
            usual,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A moment and a floor: whole whatever happened.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long after a sweep that took so long the next one goes. The way to the server and its commit are in what is usual.
fn pause(took: Duration, usual: Option<Duration>) -> Duration {
    let (shortest, longest) = (*SWEEP_AFTER.start(), *SWEEP_AFTER.end());
    let longer = took.saturating_sub(usual.unwrap_or(took));
    longer.saturating_mul(SWEEP_SHARE).clamp(shortest, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(1);

    fn at(seconds: i64) -> Option<Timestamp> {
        Timestamp::from_micros(seconds * 1_000_000).ok()
    }

    #[test]
    fn a_claim_from_before_a_sweep_does_not_raise_the_floor_again() {
        let floor = Floor::default();
        floor.met(None, at(1_000), TOOK);
        let before = floor.next();
        floor.met(None, at(500), TOOK);
        let found = floor.next();

        floor.met(before, at(1_001), TOOK);

        assert!(found < before);
        assert_eq!(floor.next(), found);
        floor.met(found, at(600), TOOK);
        assert!(floor.next() > found);
    }

    #[test]
    fn nothing_found_means_a_sweep_next() {
        let floor = Floor::default();
        floor.met(None, at(1_000), TOOK);

        floor.met(None, None, TOOK);

        assert_eq!(floor.next(), None);
    }

    #[test]
    fn sweeps_that_take_longer_than_usual_are_rare() {
        let usual = Duration::from_millis(200);
        let milliseconds = [0, 200, 210, 211, 250, 300, 60_000];

        let pauses =
            milliseconds.map(|took| pause(Duration::from_millis(took), Some(usual)).as_millis());

        assert_eq!(pauses, [1_000, 1_000, 1_000, 1_100, 5_000, 10_000, 10_000]);
        assert_eq!(pause(usual, None).as_millis(), 1_000);
    }

    #[test]
    fn what_is_usual_is_told_by_claims_above_the_floor() {
        let floor = Floor::default();
        floor.met(None, at(1_000), 100 * TOOK);
        let above = floor.next();
        floor.met(above, at(1_001), 2 * TOOK);
        let before = Instant::now();

        floor.met(None, at(1_002), 52 * TOOK);

        let state = floor.lock().unwrap();
        assert_eq!(state.usual, Some(2 * TOOK));
        assert!(state.sweep_at >= before + 5_000 * TOOK);
    }
}
