use std::io::{self, Write as _};

use dvt_contracts::{RunRecord, Timestamp};

use super::{Detail, Reading, provider, tint};
use crate::console::{Page, Tint};
use crate::text;

/// What is told of a run before its steps: labels and values.
pub(super) fn facts(reading: &Reading, detail: Detail) -> Vec<(&'static str, String)> {
    let Reading {
        record,
        state,
        course,
    } = reading;
    let metadata = &record.metadata;
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
    fields
}

/// Writes the run's name and status, and a line for each fact.
pub(super) fn write(reading: &Reading, detail: Detail, page: &mut Page) -> io::Result<()> {
    let record = &reading.record;
    let status = page.paint.paint(tint(record.status), record.status);
    let name = page
        .paint
        .paint(Tint::Bold, format_args!("run {}", record.run.run_id));
    writeln!(page, "{name}  {status}")?;
    for (label, value) in facts(reading, detail) {
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
