//! `dvt record`: from an input to a store.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::sync::Arc;

use dvt_contracts::{
    EnvironmentId, InvalidIdentifier, MAX_PAGE, RunKey, Store, StoreError, TenantId,
};

use crate::args::{Format, RecordArgs};
use crate::console::{Console, Page};
use crate::failure::{Exit, Failure};
use crate::reader::{
    Continuation, DbtReader, NdjsonReader, Ownership, Reader, Tail, TemporalReader,
};
use crate::stop::StopSignals;
use crate::{drain, show, store};

mod batch;
mod layers;
mod patience;
mod progress;
mod recorder;
mod runs;
mod summary;
mod tally;

pub(crate) use self::layers::layered;
pub(crate) use self::patience::Patience;
pub(crate) use self::recorder::{Input, record};
pub(crate) use self::summary::Steps;
pub(crate) use self::tally::Tally;

/// Runs the command.
pub(crate) async fn command(args: &RecordArgs, console: &mut Console) -> Result<Exit, Failure> {
    check(args)?;
    let input = open(args)?;
    let store = store::open(&args.store).await?;
    let mut reader = reader(args, &*store).await?;
    let patience = match args.follow {
        true => Patience::Until(StopSignals::listen().map_err(Failure::Runtime)?.shared()),
        false => Patience::None,
    };
    let mut tally = Tally::default();
    let err = &mut console.err;
    let layers = layered(Arc::clone(&store), args.strict);
    let recorded = record(input, &mut *reader, &*layers, err, &mut tally, patience).await;
    // Whatever was recorded before a failure is there, so it is told.
    let told = tell(args, &tally, &*store, console, recorded.is_ok()).await;
    if let Some(hint) = reader.hint() {
        writeln!(console.err, "hint: {hint}")?;
    }
    recorded?;
    told?;
    if args.drain {
        drain::to_ndjson(store, console).await?;
    }
    Ok(if tally.rejected > 0 {
        Exit::Rejected
    } else {
        Exit::Done
    })
}

/// Standard output carries one thing: the events if they are drained, else the JSON summary if it is asked for,
/// else words. The rest goes to standard error.
async fn tell(
    args: &RecordArgs,
    tally: &Tally,
    store: &dyn Store,
    console: &mut Console,
    complete: bool,
) -> Result<(), Failure> {
    let words = if args.drain || args.json {
        &mut console.err
    } else {
        &mut console.out
    };
    if args.show {
        show_runs(tally, store, words).await?;
    }
    if args.json {
        let product = if args.drain {
            &mut console.err
        } else {
            &mut console.out
        };
        summary::write_json(tally, store, complete, product).await?;
    } else {
        summary::write_words(tally, store, complete, words).await?;
    }
    console.out.flush()?;
    Ok(())
}

/// More runs than this are a wall of text.
const SHOWN_RUNS: usize = 20;

async fn show_runs(tally: &Tally, store: &dyn Store, page: &mut Page) -> Result<(), Failure> {
    let recent: Vec<_> = tally.runs.recent().collect();
    let first = recent.len().saturating_sub(SHOWN_RUNS);
    if tally.runs.total() > SHOWN_RUNS as u64 {
        let hidden = tally.runs.total() - SHOWN_RUNS as u64;
        writeln!(
            page,
            "showing the last {SHOWN_RUNS} runs; {hidden} before them are not shown\n"
        )?;
    }
    for run in &recent[first..] {
        show::run(store, run, show::Detail::Brief, page).await?;
    }
    Ok(())
}

/// Refuses options that say nothing about this input.
fn check(args: &RecordArgs) -> Result<(), Failure> {
    let (tenant, environment, run) = (&args.tenant, &args.environment, &args.run);
    let misplaced = match args.format {
        Format::Ndjson if tenant.is_some() => "--tenant",
        Format::Ndjson if environment.is_some() => "--environment",
        Format::Ndjson | Format::Temporal if run.is_some() => {
            return Err(Failure::Usage(
                "--run is for --format dbt: other inputs say themselves which run an event is of, so leave --run out"
                    .to_owned(),
            ));
        }
        Format::Dbt if environment.is_some() && run.is_some() => {
            return Err(Failure::Usage(
                "--environment is for new runs, and --run names one that is there: leave one out"
                    .to_owned(),
            ));
        }
        _ => return Ok(()),
    };
    Err(Failure::Usage(format!(
        "{misplaced} is for --format dbt and temporal: each NDJSON line names its own, so leave {misplaced} out"
    )))
}

async fn reader(args: &RecordArgs, store: &dyn Store) -> Result<Box<dyn Reader>, Failure> {
    match (args.format, &args.run) {
        (Format::Ndjson, _) => Ok(Box::new(NdjsonReader::default())),
        (Format::Temporal, _) => Ok(Box::new(TemporalReader::new(owner(args)?))),
        (Format::Dbt, None) => Ok(Box::new(DbtReader::new(owner(args)?))),
        (Format::Dbt, Some(run_id)) => {
            let owner = owner(args)?;
            let run = RunKey::new(owner.tenant_id.clone(), run_id.clone());
            let continuation = continuation(store, &run)
                .await
                .map_err(Failure::of_named_run)?;
            Ok(Box::new(DbtReader::continuing(owner, continuation)))
        }
    }
}

/// What the run's log says about the invocations before.
async fn continuation(store: &dyn Store, run: &RunKey) -> Result<Continuation, StoreError> {
    let record = store.get_run(run).await?;
    let mut continuation = Continuation::new(record.run, record.metadata);
    let mut after = 0;
    loop {
        let page = store.list_events(run, after, MAX_PAGE).await?;
        if let Some(pruned_at) = page.pruned_at {
            let run = run.clone();
            return Err(StoreError::RunPruned { run, pruned_at });
        }
        page.events
            .iter()
            .for_each(|event| continuation.fold(event));
        if page.is_last(after) || page.events.is_empty() {
            return Ok(continuation);
        }
        after = page.events.last().map_or(after, |event| event.run_seq);
    }
}

fn owner(args: &RecordArgs) -> Result<Ownership, Failure> {
    let usage = |error: InvalidIdentifier| Failure::Usage(error.to_string());
    let tenant_id = match args.tenant.clone() {
        Some(given) => given,
        None => TenantId::new("default").map_err(usage)?,
    };
    let environment_id = match args.environment.clone() {
        Some(given) => given,
        None => EnvironmentId::new("default").map_err(usage)?,
    };
    Ok(Ownership {
        tenant_id,
        environment_id,
    })
}

fn open(args: &RecordArgs) -> Result<Input<Box<dyn Read + Send>>, Failure> {
    if args.file.as_os_str() == "-" {
        return Ok(Input {
            name: "standard input".into(),
            size: None,
            stream: Box::new(io::stdin()),
        });
    }
    let name = args.file.display().to_string();
    let open = || -> io::Result<_> {
        let file = File::open(&args.file)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::other("expected a file, found a directory"));
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(match args.follow {
            true => (Box::new(Tail::new(file)?) as Box<dyn Read + Send>, None),
            false => (Box::new(file) as Box<dyn Read + Send>, size),
        })
    };
    match open() {
        Ok((stream, size)) => Ok(Input { name, size, stream }),
        Err(source) => Err(Failure::Input { name, source }),
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
