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
        self.change(fault, |state| {
            state.rule = rule;
            // What was cut stays cut.
            state.end = state.over();
        });
    }

    fn change(&self, fault: Option<Fault>, more: impl FnOnce(&mut State)) {
        let mut version = 0;
        self.state.send_modify(|state| {
            state.fault = fault;
            state.version += 1;
            version = state.version;
            more(state);
        });
        if let Some(Fault::Cut {
            spot: Spot::Now, ..
        }) = fault
        {
            self.cut(version);
        }
    }

    /// Ends the connection as its fault says, if that is still the one of this version and may be done once more.
    pub(super) fn cut(&self, version: u64) {
        let in_flight = self.in_flight();
        self.state.send_if_modified(|state| {
            let Some(fault @ Fault::Cut { end, .. }) = state.fault else {
                return false;
            };
            if state.version != version || state.end.is_some() {
                return false;
            }
            if state.rule.take() {
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

    /// A message of the client is about to be passed on.
    pub(super) fn client_says(&self, tag: u8) {
        let begun = self.requests().client_says(tag);
        let Some(request) = begun else { return };
        let What::Random(random) = self.state.borrow().rule.what else {
            return;
        };
        let drawn = random.draw(self.number, request);
        if drawn.is_some() || self.state.borrow().fault.is_some() {
            self.change(drawn, |_| ());
        }
    }

    /// A message of the server is about to be passed on to its end.
    pub(super) fn server_says(&self, tag: u8) {
        self.requests().server_says(tag);
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
