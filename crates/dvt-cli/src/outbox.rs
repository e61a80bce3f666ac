//! `dvt outbox`: what an operator sees of an outbox, and does about it.

use std::sync::Arc;

use dvt_contracts::{OutboxStorage, Timestamp};

use crate::args::{OutboxArgs, OutboxCommand};
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::store;

mod by_hand;
mod dead_letters;
mod last_letter;
mod letter_object;
mod operator;
mod pending_object;
mod pending_runs;
mod progress;
mod refusal;
mod retarget;
mod retry_all;
#[cfg(test)]
mod sample;
mod status;

pub(crate) use self::refusal::Refusal;

/// Runs the command.
pub(crate) async fn command(args: &OutboxArgs, console: &mut Console) -> Result<Exit, Failure> {
    match &args.command {
        OutboxCommand::Status(args) => {
            let store = store::open_kept(&args.store).await?;
            match args.runs {
                true => pending_runs::list(&*store, args, Timestamp::now(), console).await,
                false => status::tell(&*store, args, console).await,
            }
        }
        OutboxCommand::DeadLetters(args) => {
            let store = store::open_kept(&args.store).await?;
            dead_letters::list(&*store, args, console).await
        }
        // Who does it is settled before anything is reached.
        OutboxCommand::Retry(args) => {
            let note = operator::note(&args.operator, &args.reason)?;
            let store = store::open_kept(&args.store).await?;
            match &args.run {
                Some(run) => by_hand::retry(&*store, run, args, &note, console).await,
                None => {
                    let store: Arc<dyn OutboxStorage> = store;
                    retry_all::command(store, args, note, console).await
                }
            }
        }
        OutboxCommand::Skip(args) => {
            let note = operator::note(&args.operator, &args.reason)?;
            let store = store::open_kept(&args.store).await?;
            by_hand::skip(&*store, args, &note, console).await
        }
        OutboxCommand::Park(args) => {
            let note = operator::note(&args.operator, &args.reason)?;
            let store = store::open_kept(&args.store).await?;
            by_hand::park(&*store, args, &note, console).await
        }
        OutboxCommand::Retarget(args) => {
            let note = operator::note(&args.operator, &args.reason)?;
            let store = store::open_kept(&args.store).await?;
            retarget::replace(&*store, args, &note, console).await
        }
    }
}
