//! Looks through a history and what the database held at the end, and tells every rule that was broken.
//!
//! All passes go over tables, so the time grows with the history and no faster; memory is some 200 bytes for each event.

mod effort;
mod facts;
mod health;
mod invariant;
mod leases;
mod log;
mod order;
mod outcomes;
mod reader;
mod sink;
mod state;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Duration;

pub(crate) use self::effort::{Effort, KindEffort};
pub(crate) use self::facts::Facts;
pub(crate) use self::invariant::Invariant;
pub(crate) use self::outcomes::{Outcomes, outcomes};
pub(crate) use self::verdict::Verdict;
use crate::history::Final;

/// What a campaign promised, beside what every store promises.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The deliveries at which an event becomes a dead letter.
    pub(crate) max_attempts: u64,
    /// Everything is delivered so soon after the last fault.
    pub(crate) drained_within: Duration,
}

/// Checks everything.
pub(crate) fn check(facts: &Facts, last: &Final, terms: Terms) -> Verdict {
    let mut verdict = Verdict::default();
    log::check(facts, last, &mut verdict);
    order::check(facts, &mut verdict);
    state::check(facts, last, &mut verdict);
    sink::check(facts, last, &mut verdict);
    leases::check(facts, last, terms, &mut verdict);
    health::check(facts, last, terms, &mut verdict);
    verdict
}
