//! `dvt export`: runs as `dvt record` reads them.

use std::io::Write as _;

use dvt_contracts::{MAX_PAGE, RunKey, RunRecord, RunStateStore, Store, TenantId};

use crate::args::ExportArgs;
use crate::console::{Console, Page};
use crate::every_run::EveryRun;
use crate::failure::{Exit, Failure};
use crate::{record_line, store, text};

/// Runs the command.
pub(crate) async fn command(args: &ExportArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    run(&*store, args, console).await
}

async fn run(store: &dyn Store, args: &ExportArgs, console: &mut Console) -> Result<Exit, Failure> {
    let pruned = match args.runs.is_empty() {
        true => every(store, args.tenant.clone(), &mut console.out).await?,
        false => named(store, args, &mut console.out).await?,
    };
    console.out.flush()?;
    if pruned > 0 {
        let runs = text::counted(pruned, "run");
        writeln!(console.err, "left out: {runs} whose events are pruned")?;
    }
    Ok(Exit::Done)
}

async fn every(
    store: &dyn Store,
    tenant: Option<TenantId>,
    out: &mut Page,
) -> Result<u64, Failure> {
    let mut pruned = 0;
    let mut runs = EveryRun::of(tenant);
    loop {
        let page = runs.next_page(store).await?;
        if page.is_empty() {
            return Ok(pruned);
        }
        for record in &page {
            pruned += u64::from(!export(store, record, out).await?);
        }
    }
}

async fn named(store: &dyn Store, args: &ExportArgs, out: &mut Page) -> Result<u64, Failure> {
    let tenant = match &args.tenant {
        Some(tenant) => tenant.clone(),
        None => TenantId::new("default").map_err(|error| Failure::Usage(error.to_string()))?,
    };
    let mut runs = args.runs.clone();
    runs.sort();
    runs.dedup();
    // All of them first: an answer that lacks one would pass for a whole one.
    let mut records = Vec::new();
    for run_id in runs {
        let run = RunKey::new(tenant.clone(), run_id);
        records.push(store.get_run(&run).await.map_err(Failure::of_named_run)?);
    }
    let mut pruned = 0;
    for record in &records {
        pruned += u64::from(!export(store, record, out).await?);
    }
    Ok(pruned)
}

/// Writes a run, unless it is pruned. Nothing but a page of it is kept.
pub(crate) async fn export(
    store: &dyn RunStateStore,
    record: &RunRecord,
    out: &mut Page,
) -> Result<bool, Failure> {
    if record.pruned_at.is_some() {
        return Ok(false);
    }
    let mut after = 0;
    loop {
        let page = store.list_events(&record.run, after, MAX_PAGE).await?;
        if page.pruned_at.is_some() {
            return Ok(after > 0);
        }
        if after == 0 && page.head == 0 {
            record_line::write_run(out, record)?;
        }
        for event in &page.events {
            record_line::write_event(out, record, event)?;
        }
        let is_last = page.is_last(after) || page.events.is_empty();
        after = page.events.last().map_or(after, |event| event.run_seq);
        if is_last {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests;
