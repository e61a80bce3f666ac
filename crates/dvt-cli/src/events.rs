//! `dvt events`: the log of a run.

use std::io::Write as _;

use dvt_contracts::{EventPage, MAX_PAGE, RunEvent, RunKey, Store};

use crate::args::EventsArgs;
use crate::console::{Console, Page};
use crate::failure::{Exit, Failure};
use crate::listing::{Cell, Column, Listing};
use crate::stop::StopSignals;
use crate::store::Opened;
use crate::{event_line, store, text};

mod follow;

/// Runs the command.
pub(crate) async fn command(args: &EventsArgs, console: &mut Console) -> Result<Exit, Failure> {
    let Opened { store, hints } = store::open_to_follow(&args.store).await?;
    let mut log = Log::new(args);
    if args.follow {
        let signals = StopSignals::listen().map_err(Failure::Runtime)?;
        follow::run(&*store, hints, &mut log, console, signals.asked()).await
    } else {
        list(&*store, &mut log, console).await
    }
}

/// A run's log, as far as it is printed.
#[derive(Debug)]
struct Log {
    run: RunKey,
    json: bool,
    listing: Listing<9>,
    /// The last event that is printed, or that is not asked for.
    after: u64,
    /// How many more may be printed.
    left: u64,
}

impl Log {
    fn new(args: &EventsArgs) -> Self {
        Self {
            run: RunKey::new(args.tenant.clone(), args.run.clone()),
            json: args.json,
            listing: Listing::new(COLUMNS),
            after: args.after,
            left: args.limit.unwrap_or(u64::MAX),
        }
    }

    /// Prints the next events, a page at most: nothing else is kept, however long the log. The other answer is whether there
    /// is nothing more to print now.
    ///
    /// Nothing is awaited once the page is there: dropped, this has printed all of it or nothing.
    async fn print(
        &mut self,
        store: &dyn Store,
        out: &mut Page,
    ) -> Result<(EventPage, bool), Failure> {
        let limit = u32::try_from(self.left).unwrap_or(MAX_PAGE);
        let page = store.list_events(&self.run, self.after, limit).await;
        let page = page.map_err(Failure::of_named_run)?;
        if self.json {
            for event in &page.events {
                event_line::write(out, &self.run, None, event)?;
            }
        } else if !page.events.is_empty() {
            let rows: Vec<_> = page.events.iter().map(row).collect();
            self.listing.write(&rows, out)?;
        }
        self.left -= page.events.len() as u64;
        let is_last = page.is_last(self.after) || page.events.is_empty();
        self.after = page.events.last().map_or(self.after, |event| event.run_seq);
        let is_done = is_last || self.left == 0;
        Ok((page, is_done))
    }
}

async fn list(store: &dyn Store, log: &mut Log, console: &mut Console) -> Result<Exit, Failure> {
    let begin = log.after;
    let end = loop {
        let (page, is_done) = log.print(store, &mut console.out).await?;
        if is_done {
            break page;
        }
    };
    console.out.flush()?;
    log.listing.tell_left_out(&mut console.err)?;
    let after = log.after;
    if tell_pruned(&end, &mut console.err)? {
        return Ok(Exit::Done);
    }
    let head = text::counted(end.head, "event");
    if after < end.head {
        writeln!(
            console.err,
            "the log has {head}: go on with --after {after}"
        )?;
    } else if after == begin {
        writeln!(console.err, "no events after {after}: the log has {head}")?;
    }
    Ok(Exit::Done)
}

/// Whether the run is pruned, which is said then.
fn tell_pruned(page: &EventPage, err: &mut Page) -> Result<bool, Failure> {
    let Some(pruned_at) = page.pruned_at else {
        return Ok(false);
    };
    let head = text::counted(page.head, "event");
    writeln!(
        err,
        "the run was pruned at {pruned_at}: its {head} are gone"
    )?;
    Ok(true)
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
