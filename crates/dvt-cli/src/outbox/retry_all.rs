use std::io::{self, Write as _};
use std::sync::Arc;

use dvt_contracts::{
    DeadLetter, DeadLetterQuery, MAX_PAGE, OperatorNote, OutboxError, OutboxStorage,
};
use serde::Serialize;
use tokio::task::JoinSet;

use super::progress::Progress;
use crate::args::RetryArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::text;

/// Retries in flight at once: each is a transaction of its own on a run of its own, and they wait for the disk together.
const AT_ONCE: usize = 8;

/// Retries all open dead letters, in the memory of one page however many there are. Each retry stands by itself, so that the
/// command may end at any moment and be repeated.
pub(super) async fn command(
    store: Arc<dyn OutboxStorage>,
    args: &RetryArgs,
    note: OperatorNote,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let total = match console.err.is_terminal && args.tenant.is_none() {
        true => Some(store.stats().await?.parked_runs),
        false => None,
    };
    let total = total.map(|total| total.min(args.limit.unwrap_or(u64::MAX)));
    let mut progress = Progress::new(&mut console.err, total);
    let mut retrying = Retrying {
        store,
        note,
        in_flight: JoinSet::new(),
        tally: Tally::default(),
    };
    let outcome = retrying.all(args, &mut progress).await;
    progress.clear();
    retrying.tally.complete = outcome.is_ok();
    match args.json {
        true => console.out.write_json(&retrying.tally)?,
        false => writeln!(console.out, "{}", retrying.tally.words())?,
    }
    outcome?;
    Ok(Exit::Done)
}

/// The work, and how far it is.
#[derive(Debug)]
struct Retrying {
    store: Arc<dyn OutboxStorage>,
    note: OperatorNote,
    in_flight: JoinSet<Result<DeadLetter, OutboxError>>,
    tally: Tally,
}

/// What became of the dead letters that were open when they were read.
#[derive(Debug, Default, Serialize)]
struct Tally {
    complete: bool,
    retried: u64,
    /// Somebody else retried or skipped them in between.
    resolved_by_others: u64,
}

impl Retrying {
    async fn all(&mut self, args: &RetryArgs, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let mut left = args.limit.unwrap_or(u64::MAX);
        let mut query = DeadLetterQuery {
            tenant_id: args.tenant.clone(),
            open_only: true,
            ..DeadLetterQuery::default()
        };
        while left > 0 {
            query.limit = u32::try_from(left).unwrap_or(MAX_PAGE).min(MAX_PAGE);
            let page = self.store.list_dead_letters(&query).await?;
            let is_last = page.len() < query.limit as usize;
            left -= page.len() as u64;
            // To the next run, not to the next number: an event that dies again at once must not keep us here.
            query.after = page.last().map(|last| (last.run.clone(), u64::MAX));
            self.page(page, progress).await?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Retries the letters of a page, and waits for the end of each that was begun.
    async fn page(
        &mut self,
        page: Vec<DeadLetter>,
        progress: &mut Progress<'_>,
    ) -> Result<(), Failure> {
        let mut letters = page.into_iter();
        let mut failure = None;
        loop {
            while failure.is_none()
                && self.in_flight.len() < AT_ONCE
                && let Some(letter) = letters.next()
            {
                self.begin(letter);
            }
            let Some(ended) = self.in_flight.join_next().await else {
                return failure.map_or(Ok(()), Err);
            };
            let counted = match ended {
                Ok(reply) => self.tally.count(reply, &self.note).map_err(Failure::from),
                Err(error) => Err(Failure::Runtime(io::Error::from(error))),
            };
            progress.draw(self.tally.retried);
            failure = failure.or(counted.err());
        }
    }

    fn begin(&mut self, letter: DeadLetter) {
        let store = Arc::clone(&self.store);
        let note = self.note.clone();
        self.in_flight.spawn(async move {
            let DeadLetter {
                run,
                dead_letter_no,
                ..
            } = letter;
            store.retry_dead_letter(&run, dead_letter_no, &note).await
        });
    }
}

impl Tally {
    fn count(
        &mut self,
        reply: Result<DeadLetter, OutboxError>,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        match reply {
            Ok(letter) => match letter.resolution {
                Some(end) if end.note == *note => self.retried += 1,
                _ => self.resolved_by_others += 1,
            },
            Err(OutboxError::DeadLetterResolved { .. }) => self.resolved_by_others += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn words(&self) -> String {
        let retried = match self.retried {
            0 if self.complete && self.resolved_by_others == 0 => {
                "no dead letters are open".to_owned()
            }
            retried => format!("{} retried", text::counted(retried, "dead letter")),
        };
        let others = match self.resolved_by_others {
            0 => String::new(),
            others => format!(", {} resolved by others meanwhile", text::grouped(others)),
        };
        let rest = match self.complete {
            true => "",
            false => "; not all: repeat the command for the rest",
        };
        format!("{retried}{others}{rest}")
    }
}

#[cfg(test)]
mod tests;
