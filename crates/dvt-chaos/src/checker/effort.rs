use std::collections::{BTreeMap, HashMap};

use super::facts::{Facts, NEVER};
use crate::roles;

/// How hard the nemesis tried, and how soon the store was back.
#[derive(Debug, Default)]
pub(crate) struct Effort {
    pub(crate) kinds: BTreeMap<String, KindEffort>,
    /// Seconds from each heal until an append of every writer had succeeded, in order.
    pub(crate) recoveries: Vec<f64>,
    /// Seconds from the end of a long freeze until every lane of every writer had succeeded.
    pub(crate) pool_recovery: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct KindEffort {
    pub(crate) times: u64,
    /// How many of them met operations in flight.
    pub(crate) met: u64,
    /// Operations in flight when they began, in all.
    pub(crate) in_flight: u64,
    /// The longest recovery, in seconds.
    pub(crate) slowest: f64,
}

impl Effort {
    /// Measures it.
    pub(crate) fn of(facts: &Facts) -> Self {
        // One that never ended may have been over long before: its process was killed.
        let ended = facts.spans.iter().filter(|(_, end)| *end != NEVER);
        let (mut begins, mut ends): (Vec<u64>, Vec<u64>) = ended.copied().unzip();
        begins.sort_unstable();
        ends.sort_unstable();
        let writers = Writers::of(facts);
        let mut effort = Self::default();
        for fault in &facts.faults {
            let begun = begins.partition_point(|begin| *begin < fault.begin);
            let ended = ends.partition_point(|end| *end < fault.begin);
            let in_flight = begun.saturating_sub(ended) as u64;
            let kind = effort.kinds.entry(fault.kind.clone()).or_default();
            kind.times += 1;
            kind.met += u64::from(in_flight > 0);
            kind.in_flight += in_flight;
            let Some(healed) = fault.healed else {
                continue;
            };
            let seconds = writers.recovery(fault.begin, healed);
            kind.slowest = kind.slowest.max(seconds);
            effort.recoveries.push(seconds);
        }
        effort.recoveries.sort_unstable_by(f64::total_cmp);
        effort.pool_recovery = pool_recovery(facts);
        effort
    }

    pub(crate) fn total(&self) -> u64 {
        self.kinds.values().map(|kind| kind.times).sum()
    }

    /// The 95th percentile of the recoveries.
    pub(crate) fn recovery_p95(&self) -> f64 {
        let last = self.recoveries.len().saturating_sub(1);
        self.recoveries
            .get(last * 95 / 100)
            .copied()
            .unwrap_or_default()
    }
}

/// When appends of each writer succeeded. One that was killed goes on as who came in its place.
#[derive(Debug)]
struct Writers<'a> {
    successes: HashMap<&'a str, Vec<u64>>,
    /// When writers were told to stop.
    until: u64,
}

impl<'a> Writers<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut successes: HashMap<&str, Vec<u64>> = HashMap::new();
        for (at, actor) in &facts.successes {
            let writer = roles::without_life(&facts.actors[*actor as usize]);
            successes.entry(writer).or_default().push(*at);
        }
        successes
            .values_mut()
            .for_each(|times| times.sort_unstable());
        Self {
            successes,
            until: facts.healed.unwrap_or(u64::MAX),
        }
    }

    /// Seconds until each had succeeded that had before the fault. Who did not any more is taken to have been about to when it was told to
    /// stop: those that never settle are a failure of their own.
    fn recovery(&self, begin: u64, healed: u64) -> f64 {
        let back = self.successes.values().filter_map(|times| {
            times.first().filter(|first| **first < begin)?;
            let next = times.partition_point(|at| *at < healed);
            let at = times.get(next).copied().unwrap_or(self.until);
            Some(seconds(at.saturating_sub(healed)))
        });
        back.fold(0.0, f64::max)
    }
}

fn pool_recovery(facts: &Facts) -> Option<f64> {
    let mut successes = facts.successes.clone();
    successes.sort_unstable();
    let slowest = facts.long_freezes.iter().map(|healed| {
        let mut first: HashMap<u32, u64> = HashMap::new();
        // Lanes that worked before it and after it; one that was killed meanwhile has another name since.
        let before = successes
            .iter()
            .filter(|(at, _)| at < healed && at + 60_000_000 > *healed);
        let lanes: Vec<u32> = before.map(|(_, lane)| *lane).collect();
        for (at, lane) in successes
            .iter()
            .filter(|(at, lane)| at >= healed && lanes.contains(lane))
        {
            first.entry(*lane).or_insert(*at);
        }
        first
            .values()
            .map(|at| seconds(at - healed))
            .fold(0.0, f64::max)
    });
    slowest.reduce(f64::max)
}

fn seconds(micros: u64) -> f64 {
    // Fewer than 2^52 of them.
    micros as f64 / 1e6
}
