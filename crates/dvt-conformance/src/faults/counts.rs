use std::collections::BTreeMap;
use std::fmt;

use super::fault::Fault;
use super::method::Method;

/// What was injected, by method and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultCounts {
    pub(super) hits: BTreeMap<(Method, Fault), u64>,
}

impl FaultCounts {
    /// All faults.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.hits.values().sum()
    }

    /// Those of this kind.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.sum(|(_, hit)| hit == fault)
    }

    /// Those that hit this method.
    #[must_use]
    pub fn at(&self, method: Method) -> u64 {
        self.sum(|(at, _)| at == method)
    }

    fn sum(&self, counts: impl Fn((Method, Fault)) -> bool) -> u64 {
        let hits = self.hits.iter().filter(|(hit, _)| counts(**hit));
        hits.map(|(_, count)| count).sum()
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (hit, count) in &other.hits {
            *self.hits.entry(*hit).or_default() += count;
        }
        self
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults", self.total())?;
        let (mut last, mut separator) = (None, ":");
        for ((method, fault), count) in &self.hits {
            if last != Some(method) {
                write!(f, "{separator} {method}")?;
                (last, separator) = (Some(method), ";");
            } else {
                f.write_str(",")?;
            }
            write!(f, " {count} {fault}")?;
        }
        Ok(())
    }
}
