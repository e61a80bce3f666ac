//! Plays every case against every mutant and tells who noticed what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_conformance::{CASES, Case, Harness, async_trait, evaluate};
use dvt_contracts::{BoxError, Store, Timestamp};

use crate::bug::{Bug, Mutant};
use crate::mutants::Planted;

const MODEL: &str = "model::random_histories_match_the_model";
const HISTORIES: u32 = 400;
const PATIENCE: Duration = Duration::from_secs(60);

/// The memory store with one bug.
pub(crate) struct Mutated(pub(crate) fn() -> Arc<dyn Bug>);

pub(crate) struct Space {
    store: MemoryStore,
    clock: ManualClock,
    bug: Arc<dyn Bug>,
}

#[async_trait]
impl Harness for Mutated {
    type Space = Space;

    async fn create(&self) -> Result<Space, BoxError> {
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse()?);
        let store = MemoryStore::with_clock(clock.clone());
        Ok(Space {
            store,
            clock,
            bug: (self.0)(),
        })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        let inner = Arc::new(space.store.clone());
        Ok(Arc::new(Mutant {
            inner,
            bug: Arc::clone(&space.bug),
        }))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        let micros = space.clock.now().as_micros() + seconds * 1_000_000;
        space.clock.set(Timestamp::from_micros(micros)?);
        Ok(())
    }

    fn histories(&self) -> u32 {
        HISTORIES
    }

    fn shrinks(&self) -> u32 {
        // Nobody reads the failures.
        0
    }
}

/// What a case did to a mutant.
enum Verdict {
    Survived,
    Killed,
    /// The case ended in another way than by an assertion.
    Misfired(&'static str),
}

fn judge(make: fn() -> Arc<dyn Bug>, case: &'static Case) -> Verdict {
    // One thread and one clock: what a race case finds does not depend on luck.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let played = tokio::spawn(evaluate(Arc::new(Mutated(make)), case));
        match tokio::time::timeout(PATIENCE, played).await {
            Ok(Ok(Ok(()))) => Verdict::Survived,
            Ok(Ok(Err(_))) => Verdict::Killed,
            Ok(Err(_)) => Verdict::Misfired("panicked"),
            Err(_) => Verdict::Misfired("timed out"),
        }
    })
}

/// Which cases noticed which planted bugs.
pub(crate) struct Matrix {
    mutants: Vec<(Planted, BTreeSet<&'static str>)>,
    misfires: BTreeMap<String, &'static str>,
}

impl Matrix {
    pub(crate) fn play(planted: &[Planted]) -> Self {
        let next = AtomicUsize::new(0);
        let done = Mutex::new((BTreeMap::new(), BTreeMap::new()));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::SeqCst);
                        let Some(mutant) = planted.get(index) else {
                            break;
                        };
                        for case in CASES {
                            let verdict = judge(mutant.make, case);
                            let mut done = done.lock().expect("no judge panics");
                            let killed: &mut BTreeSet<_> = done.0.entry(index).or_default();
                            match verdict {
                                Verdict::Survived => {}
                                Verdict::Killed => _ = killed.insert(case.name),
                                Verdict::Misfired(how) => {
                                    let which = format!("{} × {}", mutant.name, case.name);
                                    done.1.insert(which, how);
                                }
                            }
                        }
                    }
                });
            }
        });
        let (mut killed, misfires) = done.into_inner().expect("no judge panics");
        let mutants = planted
            .iter()
            .enumerate()
            .map(|(index, mutant)| (*mutant, killed.remove(&index).unwrap_or_default()))
            .collect();
        Self { mutants, misfires }
    }

    pub(crate) fn misfires(&self) -> BTreeMap<String, &'static str> {
        self.misfires.clone()
    }

    pub(crate) fn survivors(&self) -> Vec<&'static str> {
        let unnoticed = self
            .mutants
            .iter()
            .filter(|(_, killers)| killers.is_empty());
        unnoticed.map(|(mutant, _)| mutant.name).collect()
    }

    pub(crate) fn blunt_mutants(&self) -> Vec<(&'static str, usize)> {
        let blunt = self
            .mutants
            .iter()
            .filter(|(_, killers)| killers.len() * 4 > CASES.len());
        blunt
            .map(|(mutant, killers)| (mutant.name, killers.len()))
            .collect()
    }

    pub(crate) fn unkilled_cases(&self) -> Vec<&'static str> {
        let killed = |case: &&Case| self.mutants.iter().any(|(_, by)| by.contains(case.name));
        CASES
            .iter()
            .filter(|case| !killed(case))
            .map(|case| case.name)
            .collect()
    }

    pub(crate) fn found_by_model(&self) -> (usize, usize) {
        let found = self
            .mutants
            .iter()
            .filter(|(_, killers)| killers.contains(MODEL))
            .count();
        (found, self.mutants.len())
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, all) = self.found_by_model();
        writeln!(f, "# Kill matrix\n")?;
        writeln!(
            f,
            "Generated by `cargo test -p dvt-conformance --test kill_matrix`, rewritten by `cargo xtask fix`. Each \
             mutant is a store with one planted bug. A case that no mutant kills cannot fail, so there is none.\n"
        )?;
        writeln!(
            f,
            "{} cases, {all} mutants. The model test alone, with {HISTORIES} histories, finds {found} mutants ({} %).\n",
            CASES.len(),
            found * 100 / all.max(1),
        )?;
        writeln!(
            f,
            "## Mutants\n\n| mutant | planted bug | model | cases that notice |\n| --- | --- | --- | --- |"
        )?;
        for (mutant, killers) in &self.mutants {
            let model = if killers.contains(MODEL) { "yes" } else { "no" };
            let others: Vec<_> = killers
                .iter()
                .filter(|name| **name != MODEL)
                .map(|name| format!("`{name}`"))
                .collect();
            writeln!(
                f,
                "| `{}` | {} | {model} | {} |",
                mutant.name,
                mutant.bug,
                others.join(", ")
            )?;
        }
        writeln!(
            f,
            "\n## Cases\n\n| case | mutants that it kills |\n| --- | --- |"
        )?;
        for case in CASES {
            let by = self
                .mutants
                .iter()
                .filter(|(_, killers)| killers.contains(case.name));
            let names: Vec<_> = by.map(|(mutant, _)| format!("`{}`", mutant.name)).collect();
            let told = if case.name == MODEL {
                format!("{} of {all}", names.len())
            } else {
                names.join(", ")
            };
            writeln!(f, "| `{}` | {told} |", case.name)?;
        }
        Ok(())
    }
}
