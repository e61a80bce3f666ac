use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accept::Door;
use super::counts::{Counts, Traffic};
use super::fault::Fault;
use super::link::Link;
use super::rule::Rule;
use super::tally::Tally;

/// Tells a proxy what to do, and tells what it did. Clones control the same proxy.
///
/// A change holds from the next byte on: when the call returns, no byte passes under the old rule.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Where connections lead.
    upstream: Mutex<String>,
    door: Door,
    connections: Mutex<Connections>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Connections {
    /// The rule of those that come.
    coming: Rule,
    /// Those that are there.
    links: BTreeMap<u64, Arc<Link>>,
}

impl Control {
    pub(super) fn new(upstream: String, door: Door) -> Self {
        Self {
            shared: Arc::new(Shared {
                upstream: Mutex::new(upstream),
                door,
                connections: Mutex::default(),
                tally: Arc::default(),
            }),
        }
    }

    /// Connections that come from now on get this rule.
    pub fn for_coming(&self, rule: impl Into<Rule>) {
        self.set(rule.into(), true, false);
    }

    /// Connections that are there get this rule.
    pub fn for_present(&self, rule: impl Into<Rule>) {
        self.set(rule.into(), false, true);
    }

    /// All connections get this rule, those that are there and those that come.
    pub fn for_all(&self, rule: impl Into<Rule>) {
        self.set(rule.into(), true, true);
    }

    fn set(&self, rule: Rule, coming: bool, present: bool) {
        let mut connections = self.connections();
        if present {
            for link in connections.links.values() {
                link.set(rule.clone());
            }
        }
        if coming {
            let changes = self.shared.door.set(!rule.refuses());
            if changes && rule.refuses() {
                self.shared.tally.hit(&Fault::Refuse, 0);
            }
            connections.coming = rule;
        }
    }

    /// Lets everything pass again. What was held back arrives; what was cut stays cut.
    pub fn heal(&self) {
        self.for_all(Rule::pass());
    }

    /// Connections that come lead to another server, `host:port`.
    pub fn redirect(&self, upstream: impl ToString) {
        *lock(&self.shared.upstream) = upstream.to_string();
    }

    /// How many connections are there.
    #[must_use]
    pub fn open(&self) -> usize {
        self.connections().links.len()
    }

    /// How many operations are in flight: begun by a client, and their `ReadyForQuery` not yet passed on.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let connections = self.connections();
        connections
            .links
            .values()
            .map(|link| link.in_flight())
            .sum()
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.tally.counts()
    }

    /// How many bytes were passed on so far, over all connections.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.tally.traffic()
    }

    pub(super) fn upstream(&self) -> String {
        lock(&self.shared.upstream).clone()
    }

    pub(super) fn door(&self) -> &Door {
        &self.shared.door
    }

    /// A connection came.
    pub(super) fn enters(&self, number: u64) -> Arc<Link> {
        let mut connections = self.connections();
        self.shared.tally.connected();
        let rule = connections.coming.clone();
        let link = Arc::new(Link::new(number, rule, Arc::clone(&self.shared.tally)));
        connections.links.insert(number, Arc::clone(&link));
        link
    }

    /// A connection is over.
    pub(super) fn leaves(&self, number: u64) {
        self.connections().links.remove(&number);
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        lock(&self.shared.connections)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
