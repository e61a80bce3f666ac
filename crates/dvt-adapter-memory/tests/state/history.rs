//! Long histories of all kinds of events, the same for the same seed.

use dvt_conformance::fixture::{attempt, key, moment};
use dvt_contracts::*;

/// The steps of a run.
const STEPS: u64 = 300;

/// Runs of events, most of them legal where they stand.
#[derive(Debug)]
pub(crate) struct History {
    spread: u64,
    number: u64,
    state: RunState,
}

impl History {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            spread: seed,
            number: 0,
            state: RunState::new(),
        }
    }

    /// The fold of what was made so far.
    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// The next events.
    pub(crate) fn events(&mut self, count: u64) -> Vec<Event> {
        (0..count).map(|_| self.event()).collect()
    }

    /// A number below the bound (SplitMix64).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.spread = self.spread.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.spread;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn event(&mut self) -> Event {
        // Anomalies are what a log may hold, too.
        let tries = if self.below(32) == 0 { 1 } else { 1_000 };
        let mut event = self.proposal();
        for _ in 1..tries {
            if self.state.judge(&event).is_ok() {
                break;
            }
            event = self.proposal();
        }
        self.appended(event)
    }

    /// Two last events, the second of which completes the run while steps are running.
    pub(crate) fn end(&mut self) -> Vec<Event> {
        let next = match self.state.status() {
            RunStatus::Paused => EventType::RunResumed,
            RunStatus::Running => EventType::RunCancelRequested,
            _ => EventType::RunStarted,
        };
        [next, EventType::RunCompleted]
            .map(|kind| {
                let last = self.state.run_attempt().map_or(0, Attempt::get);
                let event = self.of(kind, None, last + 1);
                self.appended(event)
            })
            .to_vec()
    }

    fn appended(&mut self, event: Event) -> Event {
        self.number += 1;
        self.state.fold(&RunEvent {
            run_seq: self.number,
            persisted_at: Timestamp::MIN,
            event: event.clone(),
        });
        event
    }

    fn proposal(&mut self) -> Event {
        let kind = match self.below(1_000) {
            0..350 => EventType::StepStarted,
            350..600 => EventType::StepCompleted,
            600..700 => EventType::StepFailed,
            700..750 => EventType::StepSkipped,
            750..800 => EventType::RunStarted,
            800..830 => EventType::RunPaused,
            830..900 => EventType::RunResumed,
            900..910 => EventType::RunFailed,
            910..920 => EventType::RunCancelRequested,
            920..930 => EventType::RunQueued,
            // These end a run for ever: from a failed one they are anomalies.
            930..935 if self.state.status() == RunStatus::Failed => EventType::RunCompleted,
            935..940 if self.state.status() == RunStatus::Failed => EventType::RunCancelled,
            _ => "Heartbeat".parse().unwrap(),
        };
        let step = kind.needs_step().then(|| self.below(STEPS));
        let last = match step {
            Some(step) => self.last_attempt(step),
            None => self.state.run_attempt().map_or(0, Attempt::get),
        };
        let more = u32::try_from(self.below(2)).unwrap();
        self.of(kind, step, last + more)
    }

    fn of(&self, kind: EventType, step: Option<u64>, number: u32) -> Event {
        let emitted_at = moment("2026-01-02T03:04:05.000006Z").as_micros();
        let emitted_at =
            Timestamp::from_micros(emitted_at + i64::try_from(self.number).unwrap()).unwrap();
        let key = key(&format!("event {}", self.number));
        let event = Event::new(kind, step.map(step_id), key, emitted_at).unwrap();
        event.with_logical_attempt(attempt(number.max(1)))
    }

    fn last_attempt(&self, step: u64) -> u32 {
        let step = self.state.steps().get(&step_id(step));
        step.map_or(0, |step| step.logical_attempt.get())
    }
}

fn step_id(number: u64) -> StepId {
    format!("model.shop.step_{number}").parse().unwrap()
}
