use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{Destination, InvalidIdentifier, OutboxStorage, RunEvent, RunKey};
use dvt_relay::RelaySettings;

use crate::args::DrainArgs;
use crate::console::{Console, Page};
use crate::failure::{Exit, Failure};
use crate::relay::{Delivery, LineSink, Progress, STDOUT, Summary};
use crate::stop::StopSignals;
use crate::store;

/// Runs the command.
pub(crate) async fn command(args: &DrainArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    let signals = StopSignals::listen().map_err(Failure::Runtime)?;
    run(store, args, console, signals.asked()).await
}

async fn run(
    store: Arc<dyn OutboxStorage>,
    args: &DrainArgs,
    console: &mut Console,
    stop: impl Future<Output = ()> + Send,
) -> Result<Exit, Failure> {
    let settings = RelaySettings {
        max_runs_in_flight: args.max_runs,
        ..settings(args.destination.clone())
    };
    let lines = LineSink::ndjson(console.out.writer()).map_err(Failure::Runtime)?;
    let delivery = Delivery::once(store, settings, lines);
    let summary = delivery
        .run(&mut Progress::new(&mut console.err), stop)
        .await?;
    writeln!(console.err, "{}", summary.words())?;
    Ok(summary.exit())
}

/// Delivers all that is due, as one JSON object per line.
pub(crate) async fn to_ndjson(
    store: Arc<dyn OutboxStorage>,
    console: &mut Console,
) -> Result<Summary, Failure> {
    let lines = LineSink::ndjson(console.out.writer()).map_err(Failure::Runtime)?;
    to_lines(store, lines, &mut console.err).await
}

/// Delivers all that is due, each event as `render` writes it.
pub(crate) async fn rendered(
    store: Arc<dyn OutboxStorage>,
    console: &mut Console,
    render: impl Fn(&mut Vec<u8>, &RunKey, u64, &RunEvent) + Send + Sync + 'static,
) -> Result<Summary, Failure> {
    let lines = LineSink::new(console.out.writer(), render).map_err(Failure::Runtime)?;
    to_lines(store, lines, &mut console.err).await
}

async fn to_lines(
    store: Arc<dyn OutboxStorage>,
    lines: LineSink,
    err: &mut Page,
) -> Result<Summary, Failure> {
    let usage = |error: InvalidIdentifier| Failure::Usage(error.to_string());
    let settings = settings(Destination::new(STDOUT).map_err(usage)?);
    Delivery::once(store, settings, lines)
        .run(&mut Progress::new(err), std::future::pending())
        .await
}

/// How a store is emptied: with few round trips, and with patience for whoever reads.
fn settings(destination: Destination) -> RelaySettings {
    RelaySettings {
        max_events_per_run: 1_000,
        publish_timeout: Duration::from_secs(24 * 60 * 60),
        ..RelaySettings::new(destination)
    }
}

#[cfg(test)]
mod tests;
