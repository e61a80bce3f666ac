//! A run as a person wants to see it, read back from the store.

use std::io::Write as _;

use dvt_contracts::{
    Anomaly, AnomalyKind, MAX_PAGE, ProviderRef, RunKey, RunRecord, RunState, RunStatus, Store,
    StoreError,
};

use crate::console::{Page, Tint};
use crate::failure::Failure;
use crate::text;

mod attempts;
mod board;
mod cells;
mod chain;
mod command;
mod course;
mod groups;
mod header;
mod load;
mod object;
#[cfg(test)]
mod sample;
mod scale;
mod selection;
mod svg;
mod totals;

use self::attempts::Attempts;
use self::board::Board;
pub(crate) use self::command::command;
use self::course::Course;
use self::selection::{Extent, Selection};
pub(crate) use self::totals::{StepTotals, totals};

/// How much to tell about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What happened.
    Brief,
    /// And where it stands in the store.
    Full,
}

/// A run as it was read from the store.
#[derive(Debug)]
struct Reading {
    record: RunRecord,
    state: RunState,
    course: Course,
}

/// Shows one run: header, steps, timeline, anomalies.
pub(crate) async fn run(
    store: &dyn Store,
    run: &RunKey,
    detail: Detail,
    page: &mut Page,
) -> Result<(), Failure> {
    let reading = read(store, run).await?;
    write(&reading, detail, Extent::default(), page)?;
    Ok(())
}

async fn read(store: &dyn Store, run: &RunKey) -> Result<Reading, StoreError> {
    let record = store.get_run(run).await?;
    let mut state = RunState::new();
    let mut attempts = Attempts::default();
    loop {
        let after = state.last_seq();
        let events = store.list_events(run, after, MAX_PAGE).await?;
        for event in &events.events {
            state.fold(event);
            attempts.fold(event);
        }
        if events.is_last(after) || events.events.is_empty() {
            return Ok(Reading {
                record,
                state,
                course: Course::of(attempts),
            });
        }
    }
}

fn write(
    reading: &Reading,
    detail: Detail,
    extent: Extent,
    page: &mut Page,
) -> std::io::Result<()> {
    header::write(reading, detail, page)?;
    let selection = Selection::of(&reading.course, extent);
    if !reading.course.steps.is_empty() {
        Board::new(&reading.course, &selection, page.width).write(page)?;
        if let Some(hidden) = selection.told_hidden() {
            writeln!(page, "{}", text::shortened(&hidden, page.width))?;
        }
    }
    anomalies(&reading.state, extent, page)?;
    writeln!(page)
}

/// The colour of a run's status.
pub(crate) fn tint(status: RunStatus) -> Tint {
    match status {
        RunStatus::Completed => Tint::Green,
        RunStatus::Failed => Tint::Red,
        RunStatus::Cancelled | RunStatus::Paused => Tint::Yellow,
        RunStatus::Running => Tint::Cyan,
        RunStatus::Pending => Tint::Dim,
    }
}

/// A provider reference in one line.
pub(crate) fn provider(provider: &ProviderRef) -> String {
    format!("{} {}", provider.provider(), provider.workflow_id())
}

/// A log with thousands of anomalies has one cause.
const LISTED_ANOMALIES: usize = 10;

fn anomalies(state: &RunState, extent: Extent, page: &mut Page) -> std::io::Result<()> {
    let total = state.anomalies_total();
    if total == 0 {
        return Ok(());
    }
    let label = counted_anomalies(total);
    writeln!(page, "\n{}", page.paint.paint(Tint::Yellow, label))?;
    let listed = listed_anomalies(state, extent);
    for anomaly in listed {
        let line = format!("event {}: {}", anomaly.run_seq, told(anomaly));
        writeln!(
            page,
            "  {}",
            text::shortened(&line, page.width.saturating_sub(2))
        )?;
    }
    if total > listed.len() as u64 {
        let hidden = text::grouped(total - listed.len() as u64);
        let way = match extent {
            Extent::All => "",
            Extent::Top(_) => ": --all lists them",
        };
        writeln!(page, "  and {hidden} more{way}")?;
    }
    Ok(())
}

fn counted_anomalies(total: u64) -> String {
    match total {
        1 => "1 anomaly".to_owned(),
        _ => format!("{} anomalies", text::grouped(total)),
    }
}

/// Those that are told one by one.
fn listed_anomalies(state: &RunState, extent: Extent) -> &[Anomaly] {
    let all = state.anomalies();
    match extent {
        Extent::All => all,
        Extent::Top(_) => &all[..all.len().min(LISTED_ANOMALIES)],
    }
}

fn told(anomaly: &Anomaly) -> String {
    match &anomaly.kind {
        AnomalyKind::Illegal(illegal) => illegal.to_string(),
        AnomalyKind::OpenSteps(open) => {
            format!(
                "the run completed while {} had not ended",
                text::counted(*open, "step")
            )
        }
        other => format!("{other:?}"),
    }
}
