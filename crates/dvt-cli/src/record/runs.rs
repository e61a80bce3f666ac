use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use dvt_contracts::{ProviderRef, RunKey, RunMetadata};

/// Runs by one hash each, since whole keys of millions of runs would outgrow the memory that reading takes.
#[derive(Debug, Default)]
pub(super) struct RunSet(HashSet<u64, BuildHasherDefault<DefaultHasher>>);

impl RunSet {
    /// Adds a run. Whether it is new.
    pub(super) fn insert(&mut self, run: &RunKey) -> bool {
        self.0.insert(self.0.hasher().hash_one(run))
    }

    /// Whether it has the run.
    pub(super) fn contains(&self, run: &RunKey) -> bool {
        !self.0.is_empty() && self.0.contains(&self.0.hasher().hash_one(run))
    }
}

/// The runs that an input tells about: how many, and which came last.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    seen: RunSet,
    recent: VecDeque<RunKey>,
}

impl Runs {
    /// How many runs can be told by name.
    pub(crate) const LISTED: usize = 1_000;

    /// Notes a run.
    pub(crate) fn note(&mut self, run: &RunKey) {
        if self.recent.back() == Some(run) {
            return;
        }
        if self.seen.insert(run) {
            if self.recent.len() == Self::LISTED {
                self.recent.pop_front();
            }
            self.recent.push_back(run.clone());
        }
    }

    /// How many runs there are.
    pub(crate) fn total(&self) -> u64 {
        self.seen.0.len() as u64
    }

    /// The last runs that were new, oldest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = &RunKey> {
        self.recent.iter()
    }
}

/// What is known about runs in the store, so that not every line asks for it again.
///
/// It forgets: of two generations the older one goes when the younger one is full. Whoever is used stays.
#[derive(Debug, Default)]
pub(super) struct KnownRuns {
    young: HashMap<RunKey, KnownRun>,
    old: HashMap<RunKey, KnownRun>,
}

/// What is known about one run.
#[derive(Debug, Clone)]
pub(super) enum KnownRun {
    /// It takes events.
    Open {
        /// What it is a run of.
        metadata: RunMetadata,
        /// The provider reference that this input saved last.
        provider_ref: Option<ProviderRef>,
    },
    /// It takes none, and why.
    Closed {
        /// The reason to give for each of its lines.
        reason: String,
    },
}

impl KnownRuns {
    const GENERATION: usize = 4_096;

    /// What is known about a run.
    pub(super) fn get(&mut self, run: &RunKey) -> Option<&mut KnownRun> {
        if !self.young.contains_key(run) {
            let known = self.old.remove(run)?;
            self.insert(run.clone(), known);
        }
        self.young.get_mut(run)
    }

    /// Remembers a run.
    pub(super) fn insert(&mut self, run: RunKey, known: KnownRun) {
        if self.young.len() >= Self::GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(run, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: usize) -> RunKey {
        RunKey::new(
            "t".parse().unwrap(),
            format!("run {number}").parse().unwrap(),
        )
    }

    #[test]
    fn runs_are_counted_once_and_the_last_are_listed() {
        let mut runs = Runs::default();
        for number in (0..3_000).chain(0..3_000) {
            runs.note(&run(number));
        }
        assert_eq!(runs.total(), 3_000);
        let listed: Vec<_> = runs.recent().cloned().collect();
        assert_eq!(listed.len(), Runs::LISTED);
        assert_eq!(listed.last(), Some(&run(2_999)));
    }

    #[test]
    fn used_runs_stay_known_and_the_memory_is_bounded() {
        let mut known = KnownRuns::default();
        let closed = || KnownRun::Closed {
            reason: String::new(),
        };
        known.insert(run(0), closed());
        for number in 1..50_000 {
            known.insert(run(number), closed());
            assert!(known.get(&run(0)).is_some());
        }
        assert!(known.get(&run(1)).is_none());
        assert!(known.young.len() + known.old.len() <= 2 * KnownRuns::GENERATION);
    }
}
