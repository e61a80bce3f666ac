use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::counts::{Counts, Traffic};
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
    /// The rule of those that come.
    coming: watch::Sender<Rule>,
    /// Those that are there.
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    tally: Arc<Tally>,
}

impl Control {
    pub(super) fn new(upstream: String) -> Self {
        Self {
            shared: Arc::new(Shared {
                upstream: Mutex::new(upstream),
                coming: watch::Sender::default(),
                links: Mutex::default(),
                tally: Arc::default(),
            }),
        }
    }

    /// Connections that come from now on get this rule.
    pub fn for_coming(&self, rule: impl Into<Rule>) {
        let _links = self.links();
        self.shared.coming.send_replace(rule.into());
    }

    /// Connections that are there get this rule.
    pub fn for_present(&self, rule: impl Into<Rule>) {
        let rule = rule.into();
        for link in self.links().values() {
            link.set(rule.clone());
        }
    }

    /// All connections get this rule, those that are there and those that come.
    pub fn for_all(&self, rule: impl Into<Rule>) {
        let rule = rule.into();
        let links = self.links();
        self.shared.coming.send_replace(rule.clone());
        for link in links.values() {
            link.set(rule.clone());
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
        self.links().len()
    }

    /// How many operations are in flight: begun by a client, and their `ReadyForQuery` not yet passed on.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.links().values().map(|link| link.in_flight()).sum()
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

    /// The rule of those that come, to wait for changes.
    pub(super) fn coming(&self) -> watch::Receiver<Rule> {
        self.shared.coming.subscribe()
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// A connection came.
    pub(super) fn enters(&self, number: u64) -> Arc<Link> {
        let mut links = self.links();
        let rule = self.shared.coming.borrow().clone();
        let link = Arc::new(Link::new(number, rule, Arc::clone(&self.shared.tally)));
        links.insert(number, Arc::clone(&link));
        link
    }

    /// A connection is over.
    pub(super) fn leaves(&self, number: u64) {
        self.links().remove(&number);
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Link>>> {
        lock(&self.shared.links)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
