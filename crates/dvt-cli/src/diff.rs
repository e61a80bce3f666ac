//! `dvt diff`: the steps in which two runs differ.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use dvt_contracts::{RunId, RunKey, StepId, Store};
use serde::Serialize;

use crate::args::DiffArgs;
use crate::console::{Console, Tint};
use crate::failure::{Exit, Failure};
use crate::listing::{Cell, Column, Listing};
use crate::show::{StepTotals, totals};
use crate::{store, text};

/// Runs the command.
pub(crate) async fn command(args: &DiffArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    run(&*store, args, console).await
}

async fn run(store: &dyn Store, args: &DiffArgs, console: &mut Console) -> Result<Exit, Failure> {
    let first = steps(store, args, &args.first).await?;
    let second = steps(store, args, &args.second).await?;
    let ids: BTreeSet<&StepId> = first.keys().chain(second.keys()).collect();
    let compared = ids.len() as u64;
    let mut differences: Vec<_> = ids
        .into_iter()
        .map(|step| Difference::new(step, first.get(step), second.get(step)))
        .filter(|difference| difference.counts(args.at_least))
        .collect();
    differences.sort_by_key(Difference::rank);
    if args.json {
        for difference in &differences {
            console.out.write_json(&difference.object())?;
        }
    } else if !differences.is_empty() {
        let rows: Vec<_> = differences.iter().map(Difference::row).collect();
        let mut listing = Listing::new(COLUMNS);
        listing.write(&rows, &mut console.out)?;
        console.out.flush()?;
        listing.tell_left_out(&mut console.err)?;
    }
    console.out.flush()?;
    let found = differences.len() as u64;
    writeln!(
        console.err,
        "{} of {} differ",
        text::grouped(found),
        text::counted(compared, "step")
    )?;
    Ok(Exit::Done)
}

async fn steps(
    store: &dyn Store,
    args: &DiffArgs,
    run_id: &RunId,
) -> Result<BTreeMap<StepId, StepTotals>, Failure> {
    let run = RunKey::new(args.tenant.clone(), run_id.clone());
    totals(store, &run).await.map_err(Failure::of_named_run)
}

const COLUMNS: [Column; 8] = [
    Column::text("step").needed(),
    Column::text("status").needed(),
    Column::text("then").needed(),
    Column::number("more").needed(),
    Column::number("time"),
    Column::number("then"),
    Column::number("attempts"),
    Column::number("then"),
];

/// A step as two runs have it, of which one may not have it at all.
#[derive(Debug)]
struct Difference<'a> {
    step: &'a StepId,
    first: Option<&'a StepTotals>,
    second: Option<&'a StepTotals>,
}

#[derive(Debug, Serialize)]
struct DifferenceObject<'a> {
    step_id: &'a str,
    status: [Option<&'static str>; 2],
    attempts: [Option<usize>; 2],
    seconds: [Option<f64>; 2],
    more_seconds: f64,
}

impl<'a> Difference<'a> {
    fn new(
        step: &'a StepId,
        first: Option<&'a StepTotals>,
        second: Option<&'a StepTotals>,
    ) -> Self {
        Self {
            step,
            first,
            second,
        }
    }

    fn both<T>(&self, value: impl Fn(&StepTotals) -> T) -> [Option<T>; 2] {
        [self.first.map(&value), self.second.map(&value)]
    }

    fn status_differs(&self) -> bool {
        let [first, second] = self.both(|totals| totals.status);
        first != second
    }

    fn attempts_differ(&self) -> bool {
        let [first, second] = self.both(|totals| totals.attempts);
        first != second
    }

    /// The microseconds that the second run took more.
    fn more(&self) -> i128 {
        let [first, second] = self.both(|totals| totals.work.as_micros().cast_signed());
        second.unwrap_or(0) - first.unwrap_or(0)
    }

    fn more_seconds(&self) -> f64 {
        self.more() as f64 / 1e6
    }

    fn counts(&self, at_least: f64) -> bool {
        let differs = self.more() != 0 && self.more_seconds().abs() >= at_least;
        self.status_differs() || self.attempts_differ() || differs
    }

    fn rank(&self) -> (u8, Reverse<u128>, &'a StepId) {
        let kind = match (self.status_differs(), self.attempts_differ()) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        (kind, Reverse(self.more().unsigned_abs()), self.step)
    }

    fn row(&self) -> [Cell; 8] {
        let [first, second] = self.both(|totals| totals.status);
        let [time, then] = self.both(|totals| {
            let seconds = totals.work.as_secs_f64();
            Cell::shortly(text::duration(totals.work), format!("{seconds:.6}"))
        });
        let [attempts, tried] = self.both(|totals| totals.attempts);
        let nothing = || Cell::from("");
        let micros = u64::try_from(self.more().unsigned_abs()).unwrap_or(u64::MAX);
        let more = text::duration(std::time::Duration::from_micros(micros));
        let sign = if self.more() < 0 { "-" } else { "+" };
        [
            Cell::from(self.step),
            first.map_or_else(nothing, status),
            second.map_or_else(nothing, status),
            Cell::shortly(
                format!("{sign}{more}"),
                format!("{:.6}", self.more_seconds()),
            ),
            time.unwrap_or_else(nothing),
            then.unwrap_or_else(nothing),
            attempts.map_or_else(nothing, Cell::from),
            tried.map_or_else(nothing, Cell::from),
        ]
    }

    fn object(&self) -> DifferenceObject<'_> {
        DifferenceObject {
            step_id: self.step.as_str(),
            status: self.both(|totals| totals.status),
            attempts: self.both(|totals| totals.attempts),
            seconds: self.both(|totals| totals.work.as_secs_f64()),
            more_seconds: self.more_seconds(),
        }
    }
}

fn status(word: &'static str) -> Cell {
    match word {
        "completed" => Cell::tinted(Tint::Green, word),
        "failed" => Cell::tinted(Tint::Red, word),
        "skipped" => Cell::tinted(Tint::Dim, word),
        _ => Cell::tinted(Tint::Cyan, word),
    }
}

#[cfg(test)]
mod tests;
