use std::io::{self, Write};
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, Destination, InvalidIdentifier, Lease, LeaseError,
    OutboxError, OutboxStats, RunEvent, RunKey, Store,
};

use crate::args::DrainArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::{event_line, store, text};

/// What the outbox calls this command as a receiver.
pub(crate) const DESTINATION: &str = "stdout:";

/// How many runs are claimed at once: enough to make the store's round trips cheap, little enough to hold.
pub(crate) const MAX_RUNS: u32 = 64;

/// Who receives, and how much at once.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    destination: Destination,
    claim: ClaimRequest,
}

impl Receiver {
    /// A receiver that the outbox calls so, and that claims that many runs at once.
    pub(crate) fn new(destination: Destination, max_runs: u32) -> Self {
        let claim = ClaimRequest {
            max_runs,
            max_events_per_run: 1_000,
            max_bytes: 16 * 1024 * 1024,
            lease: Duration::from_secs(60),
        };
        Self { destination, claim }
    }

    /// Standard output, as this command claims for it unless it is told otherwise.
    pub(crate) fn stdout() -> Result<Self, Failure> {
        let usage = |error: InvalidIdentifier| Failure::Usage(error.to_string());
        let destination = Destination::new(DESTINATION).map_err(usage)?;
        Ok(Self::new(destination, MAX_RUNS))
    }
}

/// Runs the command.
pub(crate) async fn command(args: &DrainArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    run(&*store, args, console).await
}

async fn run(store: &dyn Store, args: &DrainArgs, console: &mut Console) -> Result<Exit, Failure> {
    let receiver = Receiver::new(args.destination.clone(), args.max_runs);
    let delivered = to_ndjson(store, &receiver, &mut console.out).await?;
    let told = match delivered {
        0 => nothing_is_due(&store.stats().await?),
        _ => format!("{} delivered", text::counted(delivered, "event")),
    };
    writeln!(console.err, "{told}")?;
    Ok(Exit::Done)
}

/// That nothing was there to deliver, and whose undelivered events have to wait for what.
fn nothing_is_due(stats: &OutboxStats) -> String {
    let states = [
        (stats.leased_runs, "leased"),
        (stats.backing_off_runs, "backing off"),
        (stats.parked_runs, "parked"),
    ];
    let mut waiting = states.into_iter().filter(|(runs, _)| *runs > 0);
    let Some((runs, state)) = waiting.next() else {
        return "nothing is due".to_owned();
    };
    let first = format!("nothing is due: {} {state}", text::counted(runs, "run"));
    waiting.fold(first, |told, (runs, state)| {
        format!("{told}, {} {state}", text::grouped(runs))
    })
}

/// Delivers all that is due, as one JSON object per line, and tells how many events that were.
pub(crate) async fn to_ndjson<W: Write + Send>(
    store: &dyn Store,
    receiver: &Receiver,
    out: &mut W,
) -> Result<u64, Failure> {
    let mut delivered = 0;
    deliver(store, receiver, out, |out, run, claim_no, event| {
        delivered += 1;
        event_line::write(out, run, Some(claim_no), event)
    })
    .await?;
    Ok(delivered)
}

/// Delivers all that is due, each event as `write` writes it, in order per run.
///
/// Events are acknowledged only after everything claimed with them is written and flushed. If the output fails,
/// nothing of that claim is acknowledged and it is due again at once.
pub(crate) async fn deliver<W: Write + Send>(
    store: &dyn Store,
    receiver: &Receiver,
    out: &mut W,
    mut write: impl FnMut(&mut W, &RunKey, u64, &RunEvent) -> io::Result<()> + Send,
) -> Result<(), Failure> {
    store.bind_destination(&receiver.destination).await?;
    loop {
        let claimed = store.claim(&receiver.claim).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let mut write_all = || -> io::Result<()> {
            for run in &claimed {
                for event in &run.events {
                    write(out, &run.lease.run, run.lease.claim_no, event)?;
                }
            }
            out.flush()
        };
        if let Err(error) = write_all() {
            let leases: Vec<Lease> = claimed.into_iter().map(|run| run.lease).collect();
            // A courtesy to the next drain, which would otherwise wait for the leases to expire.
            let _ = store.release(&leases).await;
            return Err(error.into());
        }
        acknowledge(store, claimed).await?;
    }
}

async fn acknowledge(store: &dyn Store, claimed: Vec<ClaimedRun>) -> Result<(), OutboxError> {
    let acknowledgements: Vec<_> = claimed
        .into_iter()
        .filter_map(|run| {
            let through = run.events.last()?.run_seq;
            Some(Acknowledgement {
                lease: run.lease,
                through,
            })
        })
        .collect();
    let replies = store.mark_delivered(&acknowledgements).await?;
    for (acknowledgement, reply) in acknowledgements.iter().zip(replies) {
        match reply {
            // Somebody else has delivered it meanwhile, or our own first try went through: it is delivered.
            Err(LeaseError::StaleLease { delivered_seq, .. })
                if delivered_seq >= acknowledgement.through => {}
            // The lease was stolen, so its new owner delivers again: at least once.
            Err(LeaseError::StaleLease { .. }) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
