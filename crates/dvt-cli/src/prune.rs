//! `dvt prune`: what is old leaves a store.

use std::io::Write as _;

use dvt_contracts::{RunRecord, Store, StoreError, Timestamp};
use serde::Serialize;

use crate::args::PruneArgs;
use crate::console::{Console, Page};
use crate::every_run::EveryRun;
use crate::failure::{Exit, Failure};
use crate::listing::{Cell, Column, Listing};
use crate::progress_line::{ProgressLine, rate};
use crate::text::counted;
use crate::{show, store};

mod archive;

use self::archive::Archive;

/// How many runs are exported before the first of them is pruned.
const BATCH: usize = 100;

/// Runs the command.
pub(crate) async fn command(args: &PruneArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    run(&*store, args, Timestamp::now(), console).await
}

async fn run(
    store: &dyn Store,
    args: &PruneArgs,
    now: Timestamp,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let age = i128::try_from(args.older_than.as_micros()).unwrap_or(i128::MAX);
    let micros = i128::from(now.as_micros()).saturating_sub(age);
    // Older than everything.
    let cutoff = Timestamp::from_micros(micros.max(0))
        .map_err(|error| Failure::Usage(format!("--older-than: {error}")))?;
    let archive = args.export.as_deref().map(Archive::create).transpose()?;
    let Console { out, err } = console;
    let mut pruner = Pruner {
        store,
        args,
        cutoff,
        archive,
        out,
        listing: Listing::new(COLUMNS),
        line: ProgressLine::new(err),
        tally: Tally::default(),
    };
    let pruned = pruner.every().await;
    let flushed = pruner.out.flush();
    pruner.line.clear();
    let (tally, listing) = (pruner.tally, pruner.listing);
    // What was pruned before a failure is gone, so it is told.
    listing.tell_left_out(&mut console.err)?;
    tally.tell(args, &mut console.err)?;
    pruned?;
    flushed?;
    Ok(Exit::Done)
}

struct Pruner<'a> {
    store: &'a dyn Store,
    args: &'a PruneArgs,
    /// Runs whose last event is older.
    cutoff: Timestamp,
    archive: Option<Archive>,
    out: &'a mut Page,
    listing: Listing<6>,
    line: ProgressLine<'a>,
    tally: Tally,
}

/// What was done.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    looked_at: u64,
    runs: u64,
    events: u64,
    /// Old enough, but not delivered.
    undelivered: u64,
    /// Changed while they were worked on.
    changed: u64,
}

/// A run that is old enough.
struct Old {
    record: RunRecord,
    ended_at: Timestamp,
}

impl Pruner<'_> {
    async fn every(&mut self) -> Result<(), Failure> {
        let mut runs = EveryRun::with_events_before(self.args.tenant.clone(), self.cutoff);
        let mut batch = Vec::new();
        loop {
            let page = runs.next_page(self.store).await?;
            if page.is_empty() {
                return self.prune(batch).await;
            }
            for record in page {
                batch.extend(self.judge(record).await?);
                self.tally.looked_at += 1;
                self.draw();
                if batch.len() == BATCH {
                    self.prune(std::mem::take(&mut batch)).await?;
                }
            }
        }
    }

    fn draw(&mut self) {
        let Tally {
            looked_at, runs, ..
        } = self.tally;
        let what = self.args.what();
        self.line.draw(|elapsed| {
            let told = rate(looked_at, elapsed);
            format!(
                "{} looked at · {told} · {runs} {what}",
                counted(looked_at, "run")
            )
        });
    }

    async fn judge(&mut self, record: RunRecord) -> Result<Option<Old>, Failure> {
        if !record.status.is_terminal() || record.head == 0 {
            return Ok(None);
        }
        let last = self.store.list_events(&record.run, record.head - 1, 1);
        let last = last.await?.events.pop();
        let Some(last) = last.filter(|event| event.persisted_at < self.cutoff) else {
            return Ok(None);
        };
        if record.delivered_seq < record.head {
            self.tally.undelivered += 1;
            return Ok(None);
        }
        Ok(Some(Old {
            record,
            ended_at: last.persisted_at,
        }))
    }

    async fn prune(&mut self, batch: Vec<Old>) -> Result<(), Failure> {
        if let Some(archive) = &mut self.archive {
            for old in &batch {
                archive.take(self.store, &old.record).await?;
            }
            archive.keep()?;
        }
        for old in batch {
            if self.args.yes && !self.prune_one(&old.record).await? {
                self.tally.changed += 1;
                continue;
            }
            self.tally.runs += 1;
            self.tally.events += old.record.head;
            self.write(&old)?;
            self.draw();
        }
        Ok(())
    }

    /// Whether the run was pruned: not if it changed since it was judged and exported.
    async fn prune_one(&self, record: &RunRecord) -> Result<bool, Failure> {
        let now = self.store.get_run(&record.run).await?;
        if now != *record {
            return Ok(false);
        }
        match self.store.prune_run(&record.run).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotPrunable { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&mut self, old: &Old) -> Result<(), Failure> {
        let Old { record, ended_at } = old;
        if self.args.json {
            self.out.write_json(&PrunedObject {
                tenant_id: record.run.tenant_id.as_str(),
                run_id: record.run.run_id.as_str(),
                status: record.status.as_str(),
                head: record.head,
                ended_at: ended_at.to_string(),
                pruned: self.args.yes,
            })?;
            return Ok(());
        }
        let row = [
            Cell::from(&record.run.tenant_id),
            Cell::from(&record.run.run_id),
            Cell::tinted(show::tint(record.status), record.status),
            Cell::from(record.head),
            Cell::moment(*ended_at),
            Cell::from(self.args.what()),
        ];
        self.line.clear();
        self.listing.write(&[row], self.out)?;
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct PrunedObject<'a> {
    tenant_id: &'a str,
    run_id: &'a str,
    status: &'static str,
    head: u64,
    ended_at: String,
    pruned: bool,
}

const COLUMNS: [Column; 6] = [
    Column::text("tenant").needed(),
    Column::text("run").needed(),
    Column::text("status").needed(),
    Column::number("head").needed(),
    Column::text("ended").needed(),
    Column::text("what"),
];

impl PruneArgs {
    fn what(&self) -> &'static str {
        match self.yes {
            true => "pruned",
            false => "would be pruned",
        }
    }
}

impl Tally {
    fn tell(&self, args: &PruneArgs, err: &mut Page) -> Result<(), Failure> {
        let (runs, events) = (counted(self.runs, "run"), counted(self.events, "event"));
        let what = args.what();
        let how = match args.yes || self.runs == 0 {
            true => "",
            false => ": --yes prunes them",
        };
        writeln!(err, "{runs} with {events} {what}{how}")?;
        if self.undelivered > 0 {
            let runs = counted(self.undelivered, "run");
            writeln!(
                err,
                "left: {runs} old enough, but with undelivered events: dvt relay delivers them, dvt outbox status tells what is stuck"
            )?;
        }
        if self.changed > 0 {
            let runs = counted(self.changed, "run");
            writeln!(err, "left: {runs} that changed meanwhile")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
