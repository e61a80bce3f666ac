//! `dvt events`: the log of a run.

use std::io::Write as _;

use dvt_contracts::{MAX_PAGE, RunEvent, RunKey, Store};

use crate::args::EventsArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::listing::{Cell, Column, Listing};
use crate::{event_line, store, text};

/// Runs the command.
pub(crate) async fn command(args: &EventsArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    list(&*store, args, console).await
}

async fn list(
    store: &dyn Store,
    args: &EventsArgs,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let run = RunKey::new(args.tenant.clone(), args.run.clone());
    let mut listing = Listing::new(COLUMNS);
    let mut after = args.after;
    let mut left = args.limit.unwrap_or(u64::MAX);
    // Nothing but the page at hand is kept, however long the log.
    let end = loop {
        let limit = u32::try_from(left).unwrap_or(MAX_PAGE);
        let page = store
            .list_events(&run, after, limit)
            .await
            .map_err(Failure::of_named_run)?;
        if args.json {
            for event in &page.events {
                event_line::write(&mut console.out, &run, None, event)?;
            }
        } else if !page.events.is_empty() {
            let rows: Vec<_> = page.events.iter().map(row).collect();
            listing.write(&rows, &mut console.out)?;
        }
        left -= page.events.len() as u64;
        let is_last = page.is_last(after) || page.events.is_empty();
        after = page.events.last().map_or(after, |event| event.run_seq);
        if is_last || left == 0 {
            break page;
        }
    };
    console.out.flush()?;
    listing.tell_left_out(&mut console.err)?;
    let head = text::counted(end.head, "event");
    if let Some(pruned_at) = end.pruned_at {
        writeln!(
            console.err,
            "the run was pruned at {pruned_at}: its {head} are gone"
        )?;
    } else if after < end.head {
        writeln!(
            console.err,
            "the log has {head}: go on with --after {after}"
        )?;
    } else if after == args.after {
        writeln!(console.err, "no events after {after}: the log has {head}")?;
    }
    Ok(Exit::Done)
}

const COLUMNS: [Column; 9] = [
    Column::number("seq").needed(),
    Column::text("event").needed(),
    Column::text("step").needed(),
    Column::number("attempt").needed(),
    Column::text("emitted"),
    Column::text("payload"),
    Column::text("persisted"),
    Column::number("engine attempt"),
    Column::text("idempotency key"),
];

fn row(stored: &RunEvent) -> [Cell; 9] {
    let event = &stored.event;
    [
        Cell::from(stored.run_seq),
        Cell::from(event.event_type()),
        Cell::from(event.step_id().map_or("", |step| step.as_str())),
        Cell::from(event.logical_attempt()),
        Cell::moment(event.emitted_at()),
        Cell::from(event.payload().as_str()),
        Cell::moment(stored.persisted_at),
        Cell::from(event.engine_attempt()),
        Cell::from(event.idempotency_key()),
    ]
}

#[cfg(test)]
mod tests;
