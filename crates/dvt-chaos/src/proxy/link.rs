use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::fault::{Direction, End, Fault, Spot};
use super::requests::Requests;
use super::rule::{Rule, What};
use super::tally::Tally;

/// How a connection is.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    rule: Rule,
    /// What the rule does at the moment.
    pub(super) fault: Option<Fault>,
    /// Rises with each change of `fault`.
    pub(super) version: u64,
    /// Whether it was cut, and how.
    pub(super) end: Option<End>,
}

impl State {
    /// Whether nothing may pass in this direction.
    pub(super) fn holds(&self, direction: Direction) -> bool {
        match self.fault {
            _ if self.end.is_some() => true,
            Some(Fault::Silence {
                to_server,
                to_client,
            }) => match direction {
                Direction::ToServer => to_server,
                Direction::ToClient => to_client,
            },
            _ => false,
        }
    }

    /// How the connection is over, if it is.
    pub(super) fn over(&self) -> Option<End> {
        self.end.filter(|end| *end != End::Silence)
    }
}

/// One connection: its rule, and what is under way on it.
#[derive(Debug)]
pub(super) struct Link {
    number: u64,
    state: watch::Sender<State>,
    requests: Mutex<Requests>,
    tally: Arc<Tally>,
}

impl Link {
    pub(super) fn new(number: u64, rule: Rule, tally: Arc<Tally>) -> Self {
        let link = Self {
            number,
            state: watch::Sender::default(),
            requests: Mutex::default(),
            tally,
        };
        link.set(rule);
        link
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Another rule, from the next byte on.
    pub(super) fn set(&self, rule: Rule) {
        let fault = match rule.what {
            What::Always(fault) => Some(fault),
            What::Random(_) | What::Pass => None,
        };
        self.state.send_modify(|state| {
            state.rule = rule;
            // What was cut stays cut.
            state.end = state.over();
        });
        self.suffer(fault);
    }

    fn suffer(&self, fault: Option<Fault>) {
        self.state.send_modify(|state| {
            state.fault = fault;
            state.version += 1;
        });
        if let Some(Fault::Cut {
            spot: Spot::Now, ..
        }) = fault
        {
            self.cut();
        }
    }

    /// Ends the connection as its fault says, if that may be done once more.
    pub(super) fn cut(&self) {
        let in_flight = self.in_flight();
        self.state.send_if_modified(|state| {
            let Some(fault @ Fault::Cut { end, .. }) = state.fault else {
                return false;
            };
            let cuts = state.end.is_none() && state.rule.take();
            if cuts {
                self.tally.hit(&fault, in_flight);
                state.end = Some(end);
            } else {
                state.fault = None;
                state.version += 1;
            }
            true
        });
    }

    /// Whether its fault, one that lasts, is to be done to the request that is under way.
    pub(super) fn touch(&self) -> bool {
        let state = self.state.borrow();
        let Some(fault) = state.fault else {
            return false;
        };
        let mut requests = self.requests();
        let in_flight = requests.in_flight();
        requests.touch(state.version, || {
            let may = state.rule.take();
            if may {
                self.tally.hit(&fault, in_flight);
            }
            may
        })
    }

    /// A message is about to be passed on.
    pub(super) fn sees(&self, direction: Direction, tag: u8) {
        let begun = match direction {
            Direction::ToServer => self.requests().client_says(tag),
            Direction::ToClient => {
                self.requests().server_says(tag);
                None
            }
        };
        let Some(request) = begun else { return };
        let What::Random(random) = self.state.borrow().rule.what else {
            return;
        };
        let drawn = random.draw(self.number, request);
        if drawn.is_some() || self.state.borrow().fault.is_some() {
            self.suffer(drawn);
        }
    }

    /// Bytes were passed on.
    pub(super) fn passed(&self, direction: Direction, count: usize) {
        self.tally.passed(direction, count as u64);
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.requests().in_flight()
    }

    pub(super) fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
