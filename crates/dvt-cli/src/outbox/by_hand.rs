use std::io::Write as _;

use dvt_contracts::{DeadLetter, OperatorNote, ResolutionKind, RunId, RunKey, Store, TenantId};

use super::last_letter::last_letter;
use super::letter_object::LetterObject;
use super::refusal::{Refusal, failure};
use crate::args::{ParkArgs, RetryArgs, SkipArgs};
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::text;

/// Lets the event of one dead letter go out again.
pub(super) async fn retry(
    store: &dyn Store,
    run: &RunId,
    args: &RetryArgs,
    note: &OperatorNote,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let run = key(tenant(args)?, run);
    let number = match args.no {
        Some(number) => number,
        None => last_number(store, &run).await?,
    };
    let letter = store.retry_dead_letter(&run, number, note).await;
    answer(&letter.map_err(failure)?, args.json, console)
}

/// Gives the event of one dead letter up.
pub(super) async fn skip(
    store: &dyn Store,
    args: &SkipArgs,
    note: &OperatorNote,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let run = key(args.tenant.clone(), &args.run);
    let letter = store.skip_dead_letter(&run, args.no, note).await;
    answer(&letter.map_err(failure)?, args.json, console)
}

/// Parks a run.
pub(super) async fn park(
    store: &dyn Store,
    args: &ParkArgs,
    note: &OperatorNote,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let run = key(args.tenant.clone(), &args.run);
    let letter = store.park_run(&run, note).await;
    answer(&letter.map_err(failure)?, args.json, console)
}

/// The number of the run's last dead letter. That it is asked for again after a retry makes a repetition harmless:
/// there is still the one that was retried.
async fn last_number(store: &dyn Store, run: &RunKey) -> Result<u64, Failure> {
    if let Some(letter) = last_letter(store, run).await? {
        return Ok(letter.dead_letter_no);
    }
    store.get_run(run).await.map_err(Failure::of_named_run)?;
    Err(Refusal::NoLetters(run.clone()).into())
}

fn answer(letter: &DeadLetter, as_json: bool, console: &mut Console) -> Result<Exit, Failure> {
    match as_json {
        true => console.out.write_json(&LetterObject::from(letter))?,
        false => writeln!(console.out, "{}", words(letter))?,
    }
    Ok(Exit::Done)
}

/// In words, on one line.
fn words(letter: &DeadLetter) -> String {
    let DeadLetter {
        run,
        dead_letter_no: number,
        run_seq,
        ..
    } = letter;
    let words = match &letter.resolution {
        None => format!(
            "run {run} is parked since {} by dead letter {number} (event {run_seq}): {}",
            letter.dead_at, letter.error
        ),
        Some(end) => {
            let what = match end.kind {
                ResolutionKind::Retried => "retried",
                ResolutionKind::Skipped => "skipped",
            };
            let (note, at) = (&end.note, end.at);
            format!(
                "dead letter {number} of run {run} (event {run_seq}) {what} by {} at {at}: {}",
                note.by, note.reason
            )
        }
    };
    text::one_line(&words).into_owned()
}

fn key(tenant_id: TenantId, run: &RunId) -> RunKey {
    RunKey::new(tenant_id, run.clone())
}

/// Whose run it is: `--tenant` means something else with `--all`, so the parser knows no default.
fn tenant(args: &RetryArgs) -> Result<TenantId, Failure> {
    let named = args.tenant.clone().map_or_else(|| "default".parse(), Ok);
    named.map_err(|error| Failure::Usage(format!("{error}")))
}

#[cfg(test)]
mod tests;
