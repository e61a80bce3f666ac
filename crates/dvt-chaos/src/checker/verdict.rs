use std::collections::BTreeMap;

use super::invariant::Invariant;

/// So many breaches of a rule are told in full.
const EXAMPLES: usize = 10;

/// The rules that were broken, and how often.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    broken: BTreeMap<Invariant, Breaches>,
    /// Counts that have names of their own in the report.
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) gaps: u64,
    pub(crate) reordered: u64,
    pub(crate) undelivered: u64,
    pub(crate) stale_marks_applied: u64,
    /// Marks under ended leases that were refused, as they should be.
    pub(crate) stale_marks_refused: u64,
    /// Pairs of claims whose cursor and counts were compared.
    pub(crate) claims_compared: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Breaches {
    pub(crate) count: u64,
    pub(crate) examples: Vec<String>,
}

impl Verdict {
    pub(super) fn breach(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        let breaches = self.broken.entry(invariant).or_default();
        breaches.count += 1;
        if breaches.examples.len() < EXAMPLES {
            breaches.examples.push(what());
        }
    }

    /// The breaches of each broken rule.
    pub(crate) fn broken(&self) -> &BTreeMap<Invariant, Breaches> {
        &self.broken
    }
}
