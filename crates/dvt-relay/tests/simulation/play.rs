//! One simulation, from its seed to its end.

use std::time::Duration;

use dvt_conformance::fixture;
use dvt_contracts::{AppendRequest, OutboxStorage as _, RunKey};
use dvt_relay::RelayMode;
use tokio::time::{Instant, sleep};

use crate::audit::Audit;
use crate::crew::Crew;
use crate::desk::Desk;
use crate::planted::Bug;
use crate::stage::{Mood, Poison, Stage};
use crate::tally::Tally;
use crate::violation::{Invariant, Violation};

/// Longer than a lease, a publish, a back-off and a probe together, for everything that may have to be waited for in turn.
const DRAIN_WITHIN: Duration = Duration::from_secs(120);

/// What is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) steps: u32,
    pub(crate) bug: Option<Bug>,
    pub(crate) keep_lines: bool,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) violation: Option<Violation>,
    pub(crate) steps: u32,
    /// Of everything that happened, and when.
    pub(crate) hash: u64,
    pub(crate) tally: Tally,
    /// With the time since it began.
    pub(crate) lines: Vec<(Duration, String)>,
}

/// Plays it, on a thread of its own time.
pub(crate) fn play(script: Script) -> Ending {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    // It begins inside: only there is time the runtime's.
    runtime.block_on(async { Play::begin(script).play_on().await })
}

struct Play {
    script: Script,
    stage: std::sync::Arc<Stage>,
    desk: std::sync::Arc<Desk>,
    crew: Crew,
    audit: Audit,
    runs: Vec<RunKey>,
    appended: u32,
    /// Appends whose reply was lost.
    to_repeat: Vec<AppendRequest>,
}

impl Play {
    fn begin(script: Script) -> Self {
        let stage = Stage::new(script.seed, script.bug, script.keep_lines);
        let desk = Desk::new(&stage);
        let runs = 2 + script.seed % 6;
        let name = |number| {
            fixture::run_of(
                ["ann", "bob"][number as usize % 2],
                &format!("r{}", number / 2),
            )
        };
        Self {
            crew: Crew::new(&stage, &desk),
            audit: Audit::new(&stage, &desk),
            script,
            stage,
            desk,
            runs: (0..runs).map(name).collect(),
            appended: 0,
            to_repeat: Vec::new(),
        }
    }

    async fn play_on(mut self) -> Ending {
        for run in &self.runs {
            self.desk.bootstrap(run).await;
        }
        let mut steps = 0;
        while steps < self.script.steps && self.holds() {
            self.step().await;
            steps += 1;
        }
        if self.holds() {
            self.heal_and_drain().await;
        }
        let mut state = self.stage.state();
        Ending {
            violation: state.book.violation().cloned(),
            steps,
            hash: state.trace.hash(),
            tally: std::mem::take(&mut state.book.tally),
            lines: state.trace.take_lines(),
        }
    }

    fn holds(&self) -> bool {
        self.stage.state().book.violation().is_none()
    }

    async fn step(&mut self) {
        let lot = self.stage.state().rng.u8(0..100);
        match lot {
            0..40 => self.append().await,
            40..50 => self.crew.start(),
            50..53 => self.crew.kill(),
            53 => self.crew.stop(),
            54..58 => {
                let span = self.stage.span(Duration::from_secs(8));
                self.crew.pause(span);
            }
            58..64 => self.change_mood(),
            64..67 => self.change_store(),
            67..72 => self.operate().await,
            72 => {
                let run = self.any_run();
                self.desk.park(&run).await;
            }
            73 => {
                self.stage.count("jumps of the store's clock");
                self.stage
                    .set_ahead(self.stage.span(Duration::from_secs(5)));
            }
            _ => {}
        }
        self.wait().await;
        self.crew.attend().await;
        self.audit.look().await;
    }

    async fn wait(&self) {
        let longest = match self.stage.state().rng.u8(0..20) {
            0..4 => 0,
            4..19 => 100,
            _ => 2_000,
        };
        sleep(self.stage.span(Duration::from_millis(longest))).await;
    }

    fn any_run(&self) -> RunKey {
        let number = self.stage.state().rng.usize(0..self.runs.len());
        self.runs[number].clone()
    }

    async fn append(&mut self) {
        let request = match self.to_repeat.pop() {
            Some(request) if self.stage.one_in(2) => request,
            kept => {
                self.to_repeat.extend(kept);
                self.new_request()
            }
        };
        self.desk.append(&request).await;
        if self.stage.one_in(8) {
            self.to_repeat.push(request);
        }
        if self.stage.one_in(2) {
            self.crew.wake();
        }
    }

    fn new_request(&mut self) -> AppendRequest {
        let run = self.any_run();
        let mut state = self.stage.state();
        let many = state.rng.usize(1..=4);
        let from = self.appended as usize + 1;
        self.appended += 4;
        let head = state.book.run(&run).told.len() as u64;
        for seq in head + 1..=head + many as u64 {
            let poison = match state.rng.u8(0..200) {
                0..4 => Poison::Rejected,
                4 => Poison::Unavailable,
                5 => Poison::Silence,
                6 => Poison::Panic,
                _ => continue,
            };
            state
                .trace
                .note(format_args!("{seq} of {run} is poison: {poison:?}"));
            state.poison.insert((run.clone(), seq), poison);
        }
        AppendRequest::new(run, fixture::notes(from, from + many - 1))
    }

    fn change_mood(&self) {
        let mut state = self.stage.state();
        state.mood = match state.rng.u8(0..10) {
            0..5 => Mood::Well,
            5 => Mood::Slow(Duration::from_millis(300)),
            6 => Mood::Slow(Duration::from_secs(5)),
            7 => Mood::Lossy,
            8 => Mood::Unavailable,
            _ => Mood::Silent,
        };
        let mood = state.mood;
        state.trace.note(format_args!("the sink is {mood:?}"));
    }

    fn change_store(&self) {
        let mut state = self.stage.state();
        state.store_is_rough = state.rng.u8(0..3) == 0;
        let rough = state.store_is_rough;
        state
            .trace
            .note(format_args!("the store is rough: {rough}"));
    }

    /// An operator looks at a dead letter.
    async fn operate(&self) {
        let letters = self.desk.open_letters().await;
        let chosen = self.stage.state().rng.choice(letters);
        if let Some(letter) = chosen {
            let (mended, skip) = (self.stage.one_in(2), self.stage.one_in(3));
            if mended {
                let of = (letter.run.clone(), letter.run_seq);
                self.stage.state().poison.remove(&of);
            }
            self.desk.resolve(&letter, skip).await;
        }
    }

    fn heal(&self) {
        let mut state = self.stage.state();
        state.trace.note(format_args!("all is healed"));
        state.mood = Mood::Well;
        state.poison.clear();
        state.store_is_rough = false;
    }

    async fn heal_and_drain(&mut self) {
        self.heal();
        self.crew.continue_all();
        let by_drains = self.script.seed % 2 == 1;
        match by_drains {
            true => self.crew.kill_all(),
            false => self.crew.start(),
        }
        let deadline = Instant::now() + DRAIN_WITHIN;
        while self.holds() && Instant::now() < deadline && !self.is_empty().await {
            for letter in self.desk.open_letters().await {
                self.desk.resolve(&letter, false).await;
            }
            if by_drains {
                let drained = self
                    .crew
                    .drain()
                    .run(RelayMode::UntilEmpty, std::future::pending())
                    .await;
                let mut state = self.stage.state();
                state
                    .book
                    .check(drained.is_ok(), Invariant::RelaysGoOn, || {
                        format!("a drain to a sink that is well failed: {drained:?}")
                    });
            }
            sleep(Duration::from_millis(100)).await;
            self.crew.attend().await;
            self.audit.look().await;
        }
        let (empty, stats) = (self.is_empty().await, self.desk.store().stats().await);
        self.stage
            .state()
            .book
            .check(empty, Invariant::DrainsInTime, || {
                format!("after {DRAIN_WITHIN:?}: {stats:?}")
            });
        self.audit.look().await;
        self.audit.look_at_everything(&self.runs).await;
    }

    async fn is_empty(&self) -> bool {
        self.stage.now();
        let stats = self.desk.store().stats().await.unwrap();
        stats.pending_events == 0 && stats.parked_runs == 0
    }
}
