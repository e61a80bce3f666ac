use std::collections::BTreeMap;
use std::io::Write as _;

use dvt_contracts::{RunKey, RunRecord, RunState, RunStateStoreExt as _, StepStatus, Store};
use serde::Serialize;

use super::runs::Runs;
use super::tally::Tally;
use crate::console::{Page, Tint};
use crate::failure::Failure;
use crate::text::{counted, grouped};

/// The summary as an object. The names are part of the command's interface.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    /// Whether the whole input was read and recorded.
    complete: bool,
    lines: u64,
    bytes: u64,
    blank: u64,
    appended: u64,
    duplicates: u64,
    duplicates_with_other_content: u64,
    rejected: u64,
    ignored: u64,
    ignored_by_kind: &'a BTreeMap<String, u64>,
    runs_total: u64,
    runs_created: u64,
    /// The last runs; all of them, if `runs_total` is not more.
    runs: Vec<RunSummary>,
}

#[derive(Debug, Serialize)]
struct RunSummary {
    tenant_id: String,
    run_id: String,
    project_id: String,
    environment_id: String,
    plan_id: String,
    plan_version: String,
    status: &'static str,
    head: u64,
    steps: Steps,
    anomalies: u64,
}

/// Steps by the status of their last attempt.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Steps {
    running: u64,
    completed: u64,
    failed: u64,
    skipped: u64,
}

impl Steps {
    /// Counts the steps of a run.
    pub(crate) fn of(state: &RunState) -> Self {
        state
            .steps()
            .values()
            .fold(Self::default(), |mut steps, step| {
                match step.status {
                    StepStatus::Running => steps.running += 1,
                    StepStatus::Completed => steps.completed += 1,
                    StepStatus::Failed => steps.failed += 1,
                    StepStatus::Skipped => steps.skipped += 1,
                }
                steps
            })
    }
}

/// Writes the summary as one line of JSON.
pub(super) async fn write_json(
    tally: &Tally,
    store: &dyn Store,
    complete: bool,
    page: &mut Page,
) -> Result<(), Failure> {
    let mut runs = Vec::new();
    for run in tally.runs.recent() {
        let record = store.get_run(run).await?;
        // Whoever records may write, so this is where checkpoints of long runs come from: views save none.
        let state = store.load_state(run).await?;
        runs.push(run_summary(record, &state));
    }
    let summary = Summary {
        complete,
        lines: tally.lines,
        bytes: tally.bytes,
        blank: tally.blank,
        appended: tally.appended,
        duplicates: tally.duplicates,
        duplicates_with_other_content: tally.differing,
        rejected: tally.rejected,
        ignored: tally.ignored.total(),
        ignored_by_kind: tally.ignored.kinds(),
        runs_total: tally.runs.total(),
        runs_created: tally.created,
        runs,
    };
    Ok(page.write_json(&summary)?)
}

fn run_summary(record: RunRecord, state: &RunState) -> RunSummary {
    let RunKey { tenant_id, run_id } = record.run;
    RunSummary {
        tenant_id: tenant_id.into(),
        run_id: run_id.into(),
        project_id: record.metadata.project_id.into(),
        environment_id: record.metadata.environment_id.into(),
        plan_id: record.metadata.plan_id.into(),
        plan_version: record.metadata.plan_version.into(),
        status: record.status.as_str(),
        head: record.head,
        steps: Steps::of(state),
        anomalies: state.anomalies_total(),
    }
}

/// Runs beyond this are only counted in the words.
const NAMED_RUNS: usize = 20;

/// Writes the summary for people.
pub(super) async fn write_words(
    tally: &Tally,
    store: &dyn Store,
    complete: bool,
    page: &mut Page,
) -> Result<(), Failure> {
    let rejected = format!("{} rejected", grouped(tally.rejected));
    let rejected = match tally.rejected {
        0 => rejected,
        _ => page.paint.paint(Tint::Yellow, rejected),
    };
    let runs = counted(tally.runs.total(), "run");
    let (appended, duplicates) = (grouped(tally.appended), grouped(tally.duplicates));
    writeln!(
        page,
        "{runs}: {appended} appended, {duplicates} duplicates, {rejected}"
    )?;
    if tally.differing > 0 {
        let differing = grouped(tally.differing);
        writeln!(
            page,
            "{differing} of the duplicates say something else: the event that came first stands"
        )?;
    }
    if tally.ignored.total() > 0 {
        let kinds: Vec<_> = tally
            .ignored
            .by_count()
            .into_iter()
            .map(|(kind, count)| format!("{kind} {}", grouped(count)))
            .collect();
        let ignored = counted(tally.ignored.total(), "line");
        wrapped(page, &format!("{ignored} ignored: "), &kinds)?;
    }
    name_runs(tally, store, page).await?;
    if !complete {
        let lines = counted(tally.lines, "line");
        writeln!(
            page,
            "stopped after {lines}: the input was not read to its end"
        )?;
    }
    Ok(())
}

async fn name_runs(tally: &Tally, store: &dyn Store, page: &mut Page) -> Result<(), Failure> {
    let recent: Vec<_> = tally.runs.recent().collect();
    let first = recent.len().saturating_sub(NAMED_RUNS);
    for run in &recent[first..] {
        let record = store.get_run(run).await?;
        let events = counted(record.head, "event");
        writeln!(page, "  {run}: {}, {events}", record.status)?;
    }
    let hidden = tally.runs.total() - recent[first..].len() as u64;
    if hidden > 0 {
        let listed = grouped(Runs::LISTED as u64);
        writeln!(
            page,
            "  and {} before them (--json lists the last {listed})",
            counted(hidden, "run")
        )?;
    }
    Ok(())
}

/// Words, separated by commas, in lines that fit the page.
fn wrapped(page: &mut Page, label: &str, words: &[String]) -> std::io::Result<()> {
    let mut line = label.to_owned();
    for (at, word) in words.iter().enumerate() {
        let comma = if at + 1 < words.len() { ", " } else { "" };
        let word = crate::text::shortened(word, page.width).into_owned();
        if crate::text::columns(&line) + crate::text::columns(&word) + 1 > page.width && at > 0 {
            writeln!(page, "{}", line.trim_end())?;
            line = "  ".to_owned();
        }
        line.push_str(&word);
        line.push_str(comma);
    }
    writeln!(page, "{line}")
}
