//! Claim, lease, acknowledge as a model with few relays, runs and events, walked through in every order of its steps: what the
//! store and the relays do is written down here once more, small enough to be checked exhaustively.
//!
//! Faults are counted: a path ends when they are used up and nothing is left to do, so "eventually" means at every end.
//! `DVT_MODEL_FAULTS` adds so many of them: one more means ten times the states.

use std::time::Instant;

use stateright::{Checker as _, HasDiscoveries, Model, Property};

const STORED_FIRST: &str = "no event is acknowledged that the sink has not stored";
const NEVER_BACK: &str = "the cursor never goes back";
const IN_ORDER: &str = "first arrivals come in order";
const NO_FAULT_ONCE: &str = "without a fault every event arrives once";
const DELIVERED: &str = "everything is delivered in the end";
const ZOMBIE: &str = "a relay sends after another one has claimed its run";

/// What is wrong, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Right,
    /// The store takes an acknowledgement without asking for the token.
    MarkWithoutToken,
    /// The store gives out a run that is under an unexpired lease.
    ClaimIgnoresLease,
    /// The store gives out the events behind those that are on their way.
    ClaimsBehindOthers,
    /// The relay acknowledges what it was given instead of what was stored.
    AcknowledgesAll,
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    variant: Variant,
    relays: usize,
    runs: usize,
    events: u8,
    /// How many events a claim has at most.
    batch: u8,
    faults: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    runs: Vec<Run>,
    relays: Vec<Option<Work>>,
    /// On their way to the sink, whoever sent them and whatever became of the sender.
    sent: Vec<Message>,
    faults: u8,
    /// A relay whose claim was overtaken has sent an event.
    zombie_sent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Run {
    head: u8,
    cursor: u8,
    furthest_cursor: u8,
    claims: u8,
    /// The claim whose lease was not ended.
    lease: Option<u8>,
    expired: bool,
    /// How often each event arrived.
    arrivals: Vec<u8>,
    skipped: Vec<u8>,
    out_of_order: bool,
}

/// A run that a relay works on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Work {
    run: usize,
    claim: u8,
    /// The event that it sends next.
    next: u8,
    through: u8,
    first: u8,
    /// It has sent it and waits for the answer.
    waits: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Message {
    run: usize,
    event: u8,
    claim: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Append {
        run: usize,
    },
    Claim {
        relay: usize,
        run: usize,
    },
    Send {
        relay: usize,
    },
    Arrive {
        message: usize,
        reply_lost: bool,
    },
    Acknowledge {
        relay: usize,
        reply_lost: bool,
    },
    Release {
        relay: usize,
    },
    /// A lease ends by its time: its relay is gone, or it is paused for longer than that.
    Expire {
        run: usize,
    },
    Crash {
        relay: usize,
    },
    /// An operator parks the run and gives the event after the cursor up.
    Skip {
        run: usize,
    },
}

impl Run {
    fn claimable(&self, variant: Variant) -> bool {
        let free = self.lease.is_none() || self.expired;
        let fenced = !matches!(
            variant,
            Variant::ClaimIgnoresLease | Variant::ClaimsBehindOthers
        );
        self.cursor < self.head && (free || !fenced)
    }

    fn arrive(&mut self, event: u8) {
        let arrived = |event: &u8| self.arrivals[*event as usize - 1] > 0;
        if !arrived(&event) && !self.skipped.contains(&event) {
            let mut before = 1..event;
            self.out_of_order |=
                before.any(|other| !arrived(&other) && !self.skipped.contains(&other));
        }
        self.arrivals[event as usize - 1] += 1;
    }

    fn acknowledge(&mut self, claim: u8, through: u8, variant: Variant) {
        match variant {
            Variant::MarkWithoutToken => self.cursor = through,
            _ if self.lease == Some(claim) => self.cursor = through,
            // Stale: nothing changes.
            _ => return,
        }
        self.furthest_cursor = self.furthest_cursor.max(self.cursor);
        self.lease = None;
    }

    fn stored_or_skipped(&self, event: u8) -> bool {
        self.arrivals[event as usize - 1] > 0 || self.skipped.contains(&event)
    }
}

impl State {
    /// Whether the relay that was given this claim still works on it.
    fn is_worked_on(&self, run: usize, claim: u8) -> bool {
        let mut works = self.relays.iter().flatten();
        works.any(|work| work.run == run && work.claim == claim)
    }

    fn all(&self, holds: impl Fn(&Run) -> bool) -> bool {
        self.runs.iter().all(holds)
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let run = Run {
            head: 0,
            cursor: 0,
            furthest_cursor: 0,
            claims: 0,
            lease: None,
            expired: false,
            arrivals: vec![0; self.events.into()],
            skipped: Vec::new(),
            out_of_order: false,
        };
        vec![State {
            runs: vec![run; self.runs],
            relays: vec![None; self.relays],
            sent: Vec::new(),
            faults: self.faults,
            zombie_sent: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let faulty = state.faults > 0;
        for (index, run) in state.runs.iter().enumerate() {
            if run.head < self.events {
                actions.push(Action::Append { run: index });
            }
            if run.claimable(self.variant) {
                let idle = state
                    .relays
                    .iter()
                    .enumerate()
                    .filter(|(_, work)| work.is_none());
                actions.extend(idle.map(|(relay, _)| Action::Claim { relay, run: index }));
            }
            let leased = run.lease.filter(|_| !run.expired);
            if leased.is_some_and(|claim| faulty || !state.is_worked_on(index, claim)) {
                actions.push(Action::Expire { run: index });
            }
            if faulty && run.cursor < run.head {
                actions.push(Action::Skip { run: index });
            }
        }
        for message in 0..state.sent.len() {
            actions.push(Action::Arrive {
                message,
                reply_lost: false,
            });
            if faulty {
                actions.push(Action::Arrive {
                    message,
                    reply_lost: true,
                });
            }
        }
        for (relay, work) in state.relays.iter().enumerate() {
            let Some(work) = work else { continue };
            if !work.waits && work.next <= work.through {
                actions.push(Action::Send { relay });
            }
            let all = self.variant == Variant::AcknowledgesAll;
            if !work.waits && (work.next > work.first || all) {
                actions.push(Action::Acknowledge {
                    relay,
                    reply_lost: false,
                });
                if faulty {
                    actions.push(Action::Acknowledge {
                        relay,
                        reply_lost: true,
                    });
                }
            }
            if faulty {
                actions.push(Action::Release { relay });
                actions.push(Action::Crash { relay });
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Append { run } => state.runs[run].head += 1,
            Action::Claim { relay, run } => {
                let under_way = state.relays.iter().flatten().filter(|work| work.run == run);
                let behind = under_way.map(|work| work.through).max();
                let of = &mut state.runs[run];
                let cursor = match (self.variant, behind) {
                    (Variant::ClaimsBehindOthers, Some(behind)) => behind.max(of.cursor),
                    _ => of.cursor,
                };
                if cursor == of.head {
                    return None;
                }
                of.claims += 1;
                of.lease = Some(of.claims);
                of.expired = false;
                state.relays[relay] = Some(Work {
                    run,
                    claim: of.claims,
                    next: cursor + 1,
                    through: of.head.min(cursor + self.batch),
                    first: cursor + 1,
                    waits: false,
                });
            }
            Action::Send { relay } => {
                let work = state.relays[relay].as_mut()?;
                work.waits = true;
                state.zombie_sent |= state.runs[work.run].claims > work.claim;
                state.sent.push(Message {
                    run: work.run,
                    event: work.next,
                    claim: work.claim,
                });
                state.sent.sort_unstable();
            }
            Action::Arrive {
                message,
                reply_lost,
            } => {
                let message = state.sent.remove(message);
                state.runs[message.run].arrive(message.event);
                let is_its = |work: &&mut Work| {
                    work.run == message.run && work.claim == message.claim && work.waits
                };
                if let Some(work) = state.relays.iter_mut().flatten().find(is_its) {
                    work.waits = false;
                    work.next += u8::from(!reply_lost);
                }
                state.faults -= u8::from(reply_lost);
            }
            Action::Acknowledge { relay, reply_lost } => {
                let work = state.relays[relay].clone()?;
                let through = match self.variant {
                    Variant::AcknowledgesAll => work.through,
                    _ => work.next - 1,
                };
                state.runs[work.run].acknowledge(work.claim, through, self.variant);
                state.faults -= u8::from(reply_lost);
                // Without an answer it asks again.
                if !reply_lost {
                    state.relays[relay] = None;
                }
            }
            Action::Release { relay } => {
                let work = state.relays[relay].take()?;
                let run = &mut state.runs[work.run];
                run.lease = run.lease.filter(|claim| *claim != work.claim);
                state.faults -= 1;
            }
            Action::Expire { run } => {
                let claim = state.runs[run].lease?;
                state.faults -= u8::from(state.is_worked_on(run, claim));
                state.runs[run].expired = true;
            }
            Action::Crash { relay } => {
                state.relays[relay].take()?;
                state.faults -= 1;
            }
            Action::Skip { run } => {
                let run = &mut state.runs[run];
                run.lease = None;
                run.cursor += 1;
                run.furthest_cursor = run.furthest_cursor.max(run.cursor);
                run.skipped.push(run.cursor);
                state.faults -= 1;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(STORED_FIRST, |_, state: &State| {
                state.all(|run| (1..=run.cursor).all(|event| run.stored_or_skipped(event)))
            }),
            Property::always(NEVER_BACK, |_, state: &State| {
                state.all(|run| run.cursor == run.furthest_cursor)
            }),
            Property::always(IN_ORDER, |_, state: &State| {
                state.all(|run| !run.out_of_order)
            }),
            Property::always(NO_FAULT_ONCE, |protocol: &Self, state: &State| {
                state.faults < protocol.faults
                    || state.all(|run| run.arrivals.iter().all(|times| *times <= 1))
            }),
            Property::eventually(DELIVERED, |protocol: &Self, state: &State| {
                state.all(|run| {
                    let all = 1..=protocol.events;
                    run.cursor == protocol.events
                        && all.into_iter().all(|event| run.stored_or_skipped(event))
                })
            }),
            // That the model has the hazard that it is about.
            Property::sometimes(ZOMBIE, |_, state: &State| state.zombie_sent),
        ]
    }
}

fn protocol(variant: Variant, relays: usize, runs: usize, events: u8, faults: u8) -> Protocol {
    Protocol {
        variant,
        relays,
        runs,
        events,
        batch: 2,
        faults,
    }
}

#[test]
fn every_order_of_steps_keeps_the_promises() {
    let more = std::env::var("DVT_MODEL_FAULTS").map_or(0, |more| more.parse().unwrap());
    for (relays, runs, events, faults) in [(2, 1, 4, 2), (3, 1, 2, 2), (3, 1, 3, 1), (2, 2, 2, 1)] {
        let faults = faults + more;
        let begun_at = Instant::now();
        let model = protocol(Variant::Right, relays, runs, events, faults);
        let checker = model.checker().threads(2).spawn_bfs().join();

        println!(
            "{relays} relays, {runs} runs of {events} events, {faults} faults: {} states, all of them, in {:?}",
            checker.unique_state_count(),
            begun_at.elapsed()
        );
        assert!(checker.is_done());
        checker.assert_properties();
    }
}

#[test]
fn what_is_wrong_has_a_counterexample() {
    for (variant, broken) in [
        (Variant::MarkWithoutToken, NEVER_BACK),
        (Variant::ClaimIgnoresLease, NO_FAULT_ONCE),
        (Variant::ClaimsBehindOthers, IN_ORDER),
        (Variant::AcknowledgesAll, STORED_FIRST),
    ] {
        let model = protocol(variant, 2, 1, 3, 2);
        let found = HasDiscoveries::AnyOf([broken].into());
        let checker = model.checker().finish_when(found).spawn_bfs().join();

        let Some(path) = checker.discovery(broken) else {
            panic!(
                "{variant:?} breaks nothing in {} states",
                checker.unique_state_count()
            );
        };
        println!("{variant:?}, not so: {broken}: {:?}", path.into_actions());
    }
}
