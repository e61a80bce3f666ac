//! `dvt runs`: what is in a store.

use std::io::Write as _;

use dvt_contracts::{RunRecord, Store};

use crate::args::RunsArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::listing::{Cell, Column, Listing};
use crate::run_object::RunObject;
use crate::{show, store, text};

mod count;
mod pages;

use self::pages::Pages;

/// Runs the command.
pub(crate) async fn command(args: &RunsArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    list(&*store, args, console).await
}

async fn list(store: &dyn Store, args: &RunsArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut pages = Pages::new(store, args);
    if args.count {
        count::run(pages, args.json, console).await?;
        return Ok(Exit::Done);
    }
    let mut listing = Listing::new(COLUMNS);
    let mut left = if args.all { u64::MAX } else { args.limit };
    let mut last: Option<RunRecord> = None;
    let mut has_more = false;
    while !has_more {
        // One more than is printed tells whether there are more.
        let mut page = pages.next(left.saturating_add(1)).await?;
        if page.is_empty() {
            break;
        }
        let fitting = usize::try_from(left).unwrap_or(usize::MAX);
        has_more = page.len() > fitting;
        page.truncate(fitting);
        left -= page.len() as u64;
        last = page.last().cloned().or(last);
        if args.json {
            for record in page {
                console.out.write_json(&RunObject::from(record))?;
            }
        } else {
            let rows: Vec<_> = page.iter().map(row).collect();
            listing.write(&rows, &mut console.out)?;
        }
    }
    console.out.flush()?;
    listing.tell_left_out(&mut console.err)?;
    match last {
        None => writeln!(console.err, "no runs")?,
        Some(last) if has_more => writeln!(console.err, "{}", how_to_go_on(args, &last))?,
        Some(_) => {}
    }
    Ok(Exit::Done)
}

const COLUMNS: [Column; 12] = [
    Column::text("tenant").needed(),
    Column::text("run").needed(),
    Column::text("status").needed(),
    Column::number("head").needed(),
    Column::number("delivered").needed(),
    Column::text("created"),
    Column::text("project"),
    Column::text("environment"),
    Column::text("plan"),
    Column::text("plan version"),
    Column::text("provider"),
    Column::text("pruned"),
];

fn row(record: &RunRecord) -> [Cell; 12] {
    let metadata = &record.metadata;
    let provider = record.provider_ref.as_ref().map(show::provider);
    let pruned_at = record.pruned_at.map(|at| at.to_string());
    [
        Cell::from(&record.run.tenant_id),
        Cell::from(&record.run.run_id),
        Cell::tinted(show::tint(record.status), record.status),
        Cell::from(record.head),
        Cell::from(record.delivered_seq),
        Cell::moment(record.created_at),
        Cell::from(&metadata.project_id),
        Cell::from(&metadata.environment_id),
        Cell::from(&metadata.plan_id),
        Cell::from(&metadata.plan_version),
        Cell::from(provider.unwrap_or_default()),
        Cell::from(pruned_at.unwrap_or_default()),
    ]
}

fn how_to_go_on(args: &RunsArgs, last: &RunRecord) -> String {
    let option = match args.tenant {
        Some(_) => "--tenant",
        None => "--from-tenant",
    };
    let tenant = text::shell_word(last.run.tenant_id.as_str());
    let run = text::shell_word(last.run.run_id.as_str());
    format!(
        "there are more: go on with {option} {tenant} --after {run} and the same filters, or list --all"
    )
}

#[cfg(test)]
mod tests;
