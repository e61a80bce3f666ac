use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dvt_contracts::Timestamp;

/// Below what due time a claim need not look.
///
/// Every claim and acknowledgement moves a run's due time, and the entries left behind pile up at the low end of its index
/// while an old snapshot keeps vacuum from removing them. A claim that begins at the floor does not walk over them: with the
/// horizon pinned for a minute its median stayed at 0.4 ms instead of rising to 36. What is due below the floor, after a slow
/// commit or because somebody held its head when claims passed by, is found by a sweep: a claim without a floor. It walks over
/// all of them, so the longer sweeps take, the rarer they are.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    state: Mutex<Option<State>>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    floor: Timestamp,
    sweep_at: Instant,
    /// The longest that a claim above the floor took since the last sweep.
    usual: Duration,
    /// How much longer the last sweep took than the slowest claim between it and the sweep before.
    longer: Duration,
}

/// How far below the oldest due time of the last claim the floor lies: longer than a commit usually takes.
const SLACK: Duration = Duration::from_millis(100);
/// What sweeps take longer than other claims is meant to be a hundredth of the time …
const SWEEP_SHARE: u32 = 100;
/// … but they need not be rarer than the one, and are not rarer than the other.
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
        let floor = floor.unwrap_or(Timestamp::MIN);
        *state = Some(match *state {
            Some(before) if !swept => State {
                floor,
                usual: before.usual.max(took),
                ..before
            },
            before => State::swept(floor, before, took),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A moment and a floor: whole whatever happened.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// After a sweep that took so long.
    fn swept(floor: Timestamp, before: Option<Self>, took: Duration) -> Self {
        let usual = before.map_or(Duration::ZERO, |before| before.usual);
        let longer = match usual {
            Duration::ZERO => Duration::ZERO,
            usual => took.saturating_sub(usual),
        };
        // One may have waited for something else. What lies in the way is there the next time, too.
        let twice = before.map_or(Duration::ZERO, |before| before.longer.min(longer));
        let pause = twice.saturating_mul(SWEEP_SHARE);
        Self {
            floor,
            sweep_at: Instant::now() + pause.clamp(*SWEEP_AFTER.start(), *SWEEP_AFTER.end()),
            usual: Duration::ZERO,
            longer,
        }
    }
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

    /// How long after the last of these sweeps the next one goes, each after claims that took 2 and 1 ms.
    fn pause_after(sweeps: [u32; 3]) -> Duration {
        let floor = Floor::default();
        floor.met(None, at(1_000), TOOK);
        let mut begun = Instant::now();
        for took in sweeps {
            floor.met(floor.next(), at(1_000), 2 * TOOK);
            floor.met(floor.next(), at(1_000), TOOK);
            begun = Instant::now();
            floor.met(None, at(1_000), took * TOOK);
        }
        let state = floor.lock().unwrap();
        state.sweep_at - begun
    }

    #[test]
    fn sweeps_that_take_longer_than_other_claims_are_rare() {
        for (sweeps, seconds) in [
            // One alone may have waited for something else.
            ([2, 2, 60_000], 1),
            ([60_000, 60_000, 2], 1),
            ([12, 12, 12], 1),
            ([2, 52, 102], 5),
            ([2, 102, 52], 5),
            ([2, 60_000, 60_000], 10),
        ] {
            let pause = pause_after(sweeps);

            // In whole seconds: the rest passed between two looks at the clock.
            assert_eq!(pause.as_secs(), seconds, "{sweeps:?}: {pause:?}");
        }
    }

    #[test]
    fn the_floor_is_left_out_when_it_is_time_for_a_sweep() {
        let floor = Floor::default();
        floor.met(None, at(1_000), TOOK);
        assert!(floor.next().is_some());

        let mut state = floor.lock();
        state.as_mut().unwrap().sweep_at = Instant::now();
        drop(state);

        assert_eq!(floor.next(), None);
    }
}
