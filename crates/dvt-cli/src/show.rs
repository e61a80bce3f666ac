//! A run as a person wants to see it, read back from the store.

use std::io::Write as _;

use dvt_contracts::{
    Anomaly, AnomalyKind, MAX_PAGE, ProviderRef, RunKey, RunRecord, RunState, RunStatus, Store,
    StoreError, Timestamp,
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
mod load;
mod object;
#[cfg(test)]
mod sample;
mod scale;
mod selection;

use self::attempts::Attempts;
use self::board::Board;
pub(crate) use self::command::command;
use self::course::Course;
use self::selection::{Extent, Selection};

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
    header(reading, detail, page)?;
    let selection = Selection::of(&reading.course, extent);
    if !selection.steps.is_empty() {
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

fn header(reading: &Reading, detail: Detail, page: &mut Page) -> std::io::Result<()> {
    let Reading {
        record,
        state,
        course,
    } = reading;
    let metadata = &record.metadata;
    let status = page.paint.paint(tint(record.status), record.status);
    let name = page
        .paint
        .paint(Tint::Bold, format_args!("run {}", record.run.run_id));
    writeln!(page, "{name}  {status}")?;
    let plan = format!("{} version {}", metadata.plan_id, metadata.plan_version);
    let mut fields = vec![
        ("tenant", record.run.tenant_id.to_string()),
        ("project", metadata.project_id.to_string()),
        ("environment", metadata.environment_id.to_string()),
        ("plan", plan),
    ];
    if let Some(reference) = &record.provider_ref {
        fields.push(("provider", provider(reference)));
        if detail == Detail::Full {
            let more = [
                ("namespace", reference.namespace()),
                ("its run", reference.run_id()),
            ];
            fields.extend(
                more.into_iter()
                    .filter_map(|(label, value)| Some((label, value?.to_owned()))),
            );
        }
    }
    if detail == Detail::Full {
        fields.push(("created", record.created_at.to_string()));
    }
    if let Some(started) = state.started_at() {
        fields.push(("started", started.to_string()));
        fields.push((
            "duration",
            duration(started, state.ended_at(), course.span.end),
        ));
    }
    fields.push(("log", text::counted(record.head, "event")));
    if detail == Detail::Full {
        fields.push(("delivered", delivered(record)));
    }
    if let Some(pruned_at) = record.pruned_at {
        fields.push(("pruned", pruned_at.to_string()));
    }
    if !course.steps.is_empty() {
        fields.push(("steps", course.counts()));
    }
    if !course.chain.rows.is_empty() {
        fields.push(("chain", course.chain.to_string()));
    }
    for (label, value) in fields {
        writeln!(
            page,
            "  {label:<12} {}",
            text::shortened(&value, page.width.saturating_sub(15))
        )?;
    }
    Ok(())
}

fn delivered(record: &RunRecord) -> String {
    match record.delivered_seq {
        all if all == record.head => "all".to_owned(),
        0 => "none".to_owned(),
        some => format!("up to event {some}"),
    }
}

fn duration(started: Timestamp, ended: Option<Timestamp>, last: Timestamp) -> String {
    match ended {
        Some(ended) => text::duration(ended.saturating_since(started)),
        None => format!("{} so far", text::duration(last.saturating_since(started))),
    }
}

/// A log with thousands of anomalies has one cause.
const LISTED_ANOMALIES: usize = 10;

fn anomalies(state: &RunState, extent: Extent, page: &mut Page) -> std::io::Result<()> {
    let total = state.anomalies_total();
    if total == 0 {
        return Ok(());
    }
    let label = match total {
        1 => "1 anomaly".to_owned(),
        _ => format!("{} anomalies", text::grouped(total)),
    };
    writeln!(page, "\n{}", page.paint.paint(Tint::Yellow, label))?;
    let listed = match extent {
        Extent::All => state.anomalies().len(),
        Extent::Top(_) => state.anomalies().len().min(LISTED_ANOMALIES),
    };
    for anomaly in &state.anomalies()[..listed] {
        let line = format!("event {}: {}", anomaly.run_seq, told(anomaly));
        writeln!(
            page,
            "  {}",
            text::shortened(&line, page.width.saturating_sub(2))
        )?;
    }
    if total > listed as u64 {
        let hidden = text::grouped(total - listed as u64);
        let way = match extent {
            Extent::All => "",
            Extent::Top(_) => ": --all lists them",
        };
        writeln!(page, "  and {hidden} more{way}")?;
    }
    Ok(())
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
