//! `dvt verify`: whether a store keeps its own rules.

mod progress;
mod run_check;
mod verdict;
mod violation;

use dvt_contracts::{ErrorClass, RunKey, RunRecord, Store, StoreError, TenantId};

use self::progress::Progress;
use self::verdict::Verdict;
use self::violation::{Rule, Violation};
use crate::args::VerifyArgs;
use crate::console::{Console, Page};
use crate::every_run::EveryRun;
use crate::failure::{Exit, Failure};
use crate::store;

/// How often a run is read again that others change while it is read.
const READINGS: u32 = 5;

/// Runs the command.
pub(crate) async fn command(args: &VerifyArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    run(&*store, args, console).await
}

async fn run(store: &dyn Store, args: &VerifyArgs, console: &mut Console) -> Result<Exit, Failure> {
    let verdict = verify(store, args, &mut console.err).await?;
    verdict.tell(args.json, &mut console.out)
}

async fn verify(store: &dyn Store, args: &VerifyArgs, err: &mut Page) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    let mut progress = Progress::new(err);
    if args.runs.is_empty() {
        every(store, args, &mut verdict, &mut progress).await?;
    } else {
        for run in named(args)? {
            let record = store.get_run(&run).await;
            match record {
                Ok(record) => one(store, record, &mut verdict, &mut progress).await?,
                Err(error) => verdict.note(unreadable(Some(run), error)?),
            }
        }
    }
    progress.clear();
    Ok(verdict)
}

async fn every(
    store: &dyn Store,
    args: &VerifyArgs,
    verdict: &mut Verdict,
    progress: &mut Progress<'_>,
) -> Result<(), Failure> {
    let mut runs = EveryRun::of(args.tenant.clone());
    loop {
        let page = match runs.next_page(store).await {
            Ok(page) => page,
            // Where one row cannot be read the list ends: what comes after it is not known.
            Err(error) => {
                verdict.note(unreadable(None, error)?);
                return Ok(());
            }
        };
        if page.is_empty() {
            return Ok(());
        }
        for record in page {
            one(store, record, verdict, progress).await?;
        }
    }
}

fn named(args: &VerifyArgs) -> Result<Vec<RunKey>, Failure> {
    let tenant = match &args.tenant {
        Some(tenant) => tenant.clone(),
        None => TenantId::new("default").map_err(|error| Failure::Usage(error.to_string()))?,
    };
    let keys = args.runs.iter();
    Ok(keys
        .map(|run_id| RunKey::new(tenant.clone(), run_id.clone()))
        .collect())
}

/// Checks a run. What is found once while others change the run must be found again.
async fn one(
    store: &dyn Store,
    mut record: RunRecord,
    verdict: &mut Verdict,
    progress: &mut Progress<'_>,
) -> Result<(), Failure> {
    let mut before = Vec::new();
    for _ in 0..READINGS {
        let (found, events) = run_check::check(store, &record, progress).await?;
        if found.is_empty() || found == before {
            verdict.checked(events, found);
            return Ok(());
        }
        before = found;
        record = match store.get_run(&record.run).await {
            Ok(record) => record,
            Err(error) => {
                verdict.note(unreadable(Some(record.run), error)?);
                return Ok(());
            }
        };
    }
    // Something else each time: it changes too fast to be judged by more than what was seen last.
    verdict.checked(0, before);
    Ok(())
}

/// A stored value that breaks its rule is a violation; everything else that goes wrong is a failure.
fn unreadable(run: Option<RunKey>, error: StoreError) -> Result<Violation, Failure> {
    if error.class() == ErrorClass::Bug {
        return Ok(Violation::new(
            run,
            Rule::Readable,
            crate::failure::chain(&error),
        ));
    }
    Err(Failure::of_named_run(error))
}

#[cfg(test)]
mod tests;
