//! Bugs that are planted on purpose, each with the rule that has to find it. A checker that misses one is no checker.

mod database;
mod list;
mod past;
mod sink;
mod stations;
mod store;

use std::time::Duration;

pub(crate) use self::database::in_database;
use self::list::{BUGS, Bug};
pub(crate) use self::stations::{operator_store, reader_store, relay_parts, writer_store};
use crate::BoxError;
use crate::campaign::{self, Plan, StoreKind};

/// Runs a short campaign with the bug of this name, or with each of them, and tells whether its rule found it.
pub(crate) async fn run(name: &str, seed: u64) -> Result<u8, BoxError> {
    if name == "list" {
        for bug in &BUGS {
            println!(
                "{:24} {:3} within {:2} s: {}",
                bug.name, bug.found_by, bug.seconds, bug.what
            );
        }
        return Ok(0);
    }
    let bugs: Vec<&Bug> = BUGS
        .iter()
        .filter(|bug| name == "all" || bug.name == name)
        .collect();
    if bugs.is_empty() {
        return Err(format!("there is no bug {name}: see --planted list").into());
    }
    let mut missed = 0;
    for bug in &bugs {
        let begun = std::time::Instant::now();
        let found = find(bug, seed).await;
        let took = begun.elapsed().as_secs();
        match found {
            Ok(found)
                if found
                    .iter()
                    .any(|(invariant, _)| *invariant == bug.found_by.to_string()) =>
            {
                let all: Vec<String> = found
                    .iter()
                    .map(|(invariant, count)| format!("{invariant} ({count})"))
                    .collect();
                println!(
                    "✓ {:24} found by {:3} of {} s: {} [{took} s in all]",
                    bug.name,
                    bug.found_by,
                    bug.seconds,
                    all.join(", ")
                );
            }
            Ok(found) => {
                missed += 1;
                println!(
                    "✗ {:24} not found by {} in {} s, found: {found:?}",
                    bug.name, bug.found_by, bug.seconds
                );
            }
            Err(error) => {
                missed += 1;
                println!("✗ {:24} ended early: {error}", bug.name);
            }
        }
    }
    println!("{} of {} bugs were found", bugs.len() - missed, bugs.len());
    Ok(u8::from(missed > 0))
}

async fn find(bug: &Bug, seed: u64) -> Result<Vec<(String, u64)>, BoxError> {
    let plan = Plan {
        span: Duration::from_secs(bug.seconds),
        writers: 3,
        relays: 2,
        pace: 500,
        kinds: bug.kinds.to_vec(),
        least: bug.times,
        faults: 0,
        promotes: false,
        freezes_long: false,
        planted: Some(bug.name.to_owned()),
        bars: None,
        drained_within: Duration::from_secs(8),
        ..Plan::new(StoreKind::Postgres, 1.0, seed)
    };
    let report = campaign::run(&plan).await?;
    Ok(report.violations.into_iter().collect())
}
