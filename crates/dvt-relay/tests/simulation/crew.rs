//! The relays: started, paused, told to stop, and killed.

use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{Destination, Jitter, OnExhausted, RetryPolicy};
use dvt_relay::{
    Relay, RelayError, RelayEvent, RelayMode, RelayObserver, RelayReport, RelaySettings, RelayWaker,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::desk::Desk;
use crate::gate::Gate;
use crate::line::Line;
use crate::link::Link;
use crate::stage::Stage;
use crate::violation::Invariant;

const SLOTS: usize = 3;

pub(crate) struct Crew {
    stage: Arc<Stage>,
    desk: Arc<Desk>,
    members: [Option<Member>; SLOTS],
}

struct Member {
    gate: Gate,
    stop: Arc<Notify>,
    waker: RelayWaker,
    task: JoinHandle<Result<RelayReport, RelayError>>,
    told_to_stop: bool,
    paused_until: Option<Instant>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Crew {
    pub(crate) fn new(stage: &Arc<Stage>, desk: &Arc<Desk>) -> Self {
        Self {
            stage: Arc::clone(stage),
            desk: Arc::clone(desk),
            members: Default::default(),
        }
    }

    /// Starts one where none is.
    pub(crate) fn start(&mut self) {
        let Some(slot) = self.members.iter().position(Option::is_none) else {
            return;
        };
        let gate = Gate::default();
        let relay = self.relay(&gate, slot);
        let (stop, waker) = (Arc::new(Notify::new()), relay.waker());
        let (told, guard) = (Arc::clone(&stop), gate.clone());
        let task = tokio::spawn(async move {
            let work = relay.run(RelayMode::Forever, told.notified());
            guard.guard(work).await
        });
        self.members[slot] = Some(Member {
            gate,
            stop,
            waker,
            task,
            told_to_stop: false,
            paused_until: None,
        });
    }

    /// One that ends when all is delivered.
    pub(crate) fn drain(&self) -> Relay {
        self.relay(&Gate::default(), SLOTS)
    }

    fn relay(&self, gate: &Gate, slot: usize) -> Relay {
        let settings = self.settings();
        self.stage
            .note(format_args!("relay {slot} begins: {settings:?}"));
        let link = Link::new(&self.desk, &self.stage, gate);
        let line = Line::new(&self.stage, &link, gate);
        let seed = self.stage.state().rng.u64(..);
        let told = Told {
            stage: Arc::clone(&self.stage),
            slot,
        };
        Relay::new(link, line, settings)
            .unwrap()
            .with_seed(seed)
            .with_observer(Arc::new(told))
    }

    /// Narrow bounds and short times, so that all of them matter.
    fn settings(&self) -> RelaySettings {
        let rng = &mut self.stage.state().rng;
        let mut millis = |from: u64, to: u64| Duration::from_millis(rng.u64(from..=to));
        let timed = RelaySettings {
            lease: millis(500, 4_000),
            // Enough for ten events of a sink that is well.
            publish_timeout: millis(250, 6_000),
            poll_interval: millis(200, 2_000),
            verdict_within: millis(50, 1_000),
            probe_interval: millis(100, 5_000),
            stop_within: millis(0, 3_000),
            ..RelaySettings::new(Destination::new("simulation:").unwrap())
        };
        let policy = RetryPolicy::new(
            rng.u32(1..=4).try_into().unwrap(),
            Duration::from_millis(rng.u64(1..=500)),
            Duration::from_secs(3),
        );
        let jitter = if rng.bool() {
            Jitter::Full
        } else {
            Jitter::None
        };
        let end = if rng.u8(0..4) == 0 {
            OnExhausted::Skip
        } else {
            OnExhausted::Park
        };
        RelaySettings {
            max_runs_in_flight: rng.u32(1..=8),
            max_events_per_run: rng.u32(1..=10),
            max_bytes_in_flight: rng.u64(1..=2_000),
            retry: policy.unwrap().with_jitter(jitter).with_on_exhausted(end),
            ..timed
        }
    }

    fn any(&mut self) -> Option<&mut Member> {
        let slot = self.stage.state().rng.usize(0..SLOTS);
        self.members[slot].as_mut()
    }

    pub(crate) fn wake(&self) {
        for member in self.members.iter().flatten() {
            member.waker.wake();
        }
    }

    pub(crate) fn kill(&mut self) {
        let slot = self.stage.state().rng.usize(0..SLOTS);
        if self.members[slot].take().is_some() {
            self.stage.count("relays killed");
            self.stage.note(format_args!("relay {slot} is killed"));
        }
    }

    pub(crate) fn stop(&mut self) {
        if let Some(member) = self.any() {
            member.told_to_stop = true;
            member.stop.notify_one();
            self.stage.count("relays stopped");
        }
    }

    pub(crate) fn pause(&mut self, span: Duration) {
        if let Some(member) = self.any() {
            member.gate.close();
            member.paused_until = Some(Instant::now() + span);
            self.stage.count("relays paused");
            self.stage
                .note(format_args!("a relay is paused for {span:?}"));
        }
    }

    /// Continues those whose pause is over, and takes the leave of those that ended.
    pub(crate) async fn attend(&mut self) {
        for slot in 0..SLOTS {
            let Some(member) = &mut self.members[slot] else {
                continue;
            };
            if member
                .paused_until
                .is_some_and(|until| until <= Instant::now())
            {
                member.paused_until = None;
                member.gate.open();
            }
            if !member.task.is_finished() {
                continue;
            }
            let end = (&mut member.task).await;
            let expected = member.told_to_stop && matches!(end, Ok(Ok(_)));
            self.members[slot] = None;
            let mut state = self.stage.state();
            state
                .trace
                .note(format_args!("relay {slot} ended: {end:?}"));
            state.book.check(expected, Invariant::RelaysGoOn, || {
                format!("relay {slot} ended by itself: {end:?}")
            });
        }
    }

    /// Continues whoever is paused.
    pub(crate) fn continue_all(&mut self) {
        for member in self.members.iter_mut().flatten() {
            member.paused_until = None;
            member.gate.open();
        }
    }

    pub(crate) fn kill_all(&mut self) {
        self.members = Default::default();
    }
}

#[derive(Debug)]
struct Told {
    stage: Arc<Stage>,
    slot: usize,
}

impl RelayObserver for Told {
    fn observe(&self, event: &RelayEvent<'_>) {
        match event {
            RelayEvent::Turned | RelayEvent::Claimed { runs: 0, .. } => return,
            RelayEvent::SinkDown { .. } => self.stage.count("outages seen"),
            RelayEvent::LeaseLost { .. } => self.stage.count("leases lost"),
            _ => {}
        }
        self.stage
            .note(format_args!("relay {} tells: {event:?}", self.slot));
    }
}
