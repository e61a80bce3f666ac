//! `dvt events --follow`: the log of a run as it grows.

use std::convert::Infallible;
use std::io::Write as _;
use std::time::Duration;

use dvt_adapter_postgres::HintListener;
use dvt_contracts::Store;
use tokio::sync::Notify;

use super::{Log, tell_pruned};
use crate::console::{Console, Page};
use crate::failure::{Exit, Failure, may_pass};
use crate::trouble::Trouble;

/// How often the log is looked at if nothing hints at new events.
const POLL: Duration = Duration::from_millis(500);

/// Prints what is there and what comes, until `stop`, the limit, or a prune. A store that does not answer is asked again.
pub(super) async fn run(
    store: &dyn Store,
    hints: Option<HintListener>,
    log: &mut Log,
    console: &mut Console,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Failure> {
    let hinted = Notify::new();
    let ended = tokio::select! {
        biased;
        () = stop => Ok(Exit::Done),
        never = listen(hints, &hinted) => match never {},
        ended = follow(store, &hinted, log, console) => ended,
    };
    console.out.flush()?;
    log.listing.tell_left_out(&mut console.err)?;
    ended
}

async fn listen(hints: Option<HintListener>, hinted: &Notify) -> Infallible {
    match hints {
        Some(hints) => hints.run(|| hinted.notify_one()).await,
        None => std::future::pending().await,
    }
}

async fn follow(
    store: &dyn Store,
    hinted: &Notify,
    log: &mut Log,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let mut trouble = Trouble::default();
    loop {
        let Console { out, err } = &mut *console;
        match print_all(store, log, out, err).await {
            Ok(true) => return Ok(Exit::Done),
            Ok(false) => trouble.is_over(err),
            // A log is only read here: nothing can have happened twice.
            Err(Failure::Store(error)) if may_pass(error.class()) => trouble.tell(&error, err),
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            () = hinted.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Prints what is there now. Whether nothing can come after it.
async fn print_all(
    store: &dyn Store,
    log: &mut Log,
    out: &mut Page,
    err: &mut Page,
) -> Result<bool, Failure> {
    loop {
        let (page, is_done) = log.print(store, out).await?;
        out.flush()?;
        if log.left == 0 || tell_pruned(&page, err)? {
            return Ok(true);
        }
        if is_done {
            return Ok(false);
        }
    }
}
