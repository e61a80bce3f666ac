//! `dvt relay` and `dvt drain`: from an outbox to a sink.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dvt_adapter_postgres::HintListener;
use dvt_contracts::{OutboxError, OutboxStats, OutboxStorage};
use dvt_relay::{Relay, RelayError, RelayMode, RelayReport, RelaySettings, RelayWaker};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::RelayArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::stop::StopSignals;
use crate::store::{self, Opened};
use crate::text;

mod lines;
mod metrics;
mod progress;
mod server;
mod target;
mod watch;

pub(crate) use self::lines::LineSink;
pub(crate) use self::progress::Progress;
pub(crate) use self::target::{Outlet, Target};
use self::watch::Watch;

/// What `--to` and an outbox call standard output.
pub(crate) const STDOUT: &str = "stdout:";

/// How often the store is asked how much there is to do, if somebody wants to know.
const STATS_EVERY: Duration = Duration::from_secs(5);
/// How often the line on the terminal is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Runs the command.
pub(crate) async fn command(args: &RelayArgs, console: &mut Console) -> Result<Exit, Failure> {
    let target = Target::new(&args.to, &args.sink, store::variable)?;
    let destination = match &args.destination {
        Some(named) => named.clone(),
        None => target.destination()?,
    };
    let settings = args
        .bounds
        .settings(destination, target.publish_timeout())?;
    let watch = Arc::new(Watch::new());
    let serves = args.metrics.is_some();
    if let Some(address) = args.metrics {
        let bound = server::start(address, Arc::clone(&watch)).map_err(|source| {
            Failure::Usage(format!("cannot serve metrics at {address}: {source}"))
        })?;
        writeln!(console.err, "metrics at http://{bound}/metrics")?;
    }
    let outlet = target
        .with_publish_timeout(settings.publish_timeout)?
        .connect(console.out.writer())
        .await?;
    let Opened { store, hints } = store::open_to_follow(&args.store).await?;
    // Until here nothing is claimed, and a signal may end the process as it does any other.
    let signals = StopSignals::listen().map_err(Failure::Runtime)?;
    let mode = match args.once {
        true => RelayMode::UntilEmpty,
        false => RelayMode::Forever,
    };
    let delivery = Delivery {
        store,
        hints,
        outlet,
        settings,
        mode,
        watch,
        asks_stats: serves,
    };
    let summary = delivery
        .run(&mut Progress::new(&mut console.err), signals.asked())
        .await?;
    let page = match args.json && !summary.to_stdout {
        true => &mut console.out,
        false => &mut console.err,
    };
    if args.json {
        page.write_json(&summary)?;
    } else {
        writeln!(page, "{}", summary.words())?;
    }
    Ok(summary.exit())
}

/// One relay at work.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) store: Arc<dyn OutboxStorage>,
    /// What tells that something was appended.
    pub(crate) hints: Option<HintListener>,
    pub(crate) outlet: Outlet,
    pub(crate) settings: RelaySettings,
    pub(crate) mode: RelayMode,
    pub(crate) watch: Arc<Watch>,
    /// Whether somebody besides the terminal wants to know how much there is to do.
    pub(crate) asks_stats: bool,
}

/// How a delivery went.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    destination: String,
    delivered: u64,
    failed_attempts: u64,
    leases_lost: u64,
    runs_cut_off: u64,
    #[serde(skip)]
    to_stdout: bool,
    /// What is left, asked only if nothing was delivered and the end was to be empty.
    #[serde(skip)]
    left: Option<OutboxStats>,
}

impl Delivery {
    /// A delivery of all that is due as lines, and no more.
    pub(crate) fn once(
        store: Arc<dyn OutboxStorage>,
        settings: RelaySettings,
        lines: LineSink,
    ) -> Self {
        Self {
            store,
            hints: None,
            outlet: Outlet::of_lines(lines),
            settings,
            mode: RelayMode::UntilEmpty,
            watch: Arc::new(Watch::new()),
            asks_stats: false,
        }
    }

    /// Works until the work is done, or until told to stop.
    pub(crate) async fn run(
        self,
        progress: &mut Progress<'_>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<Summary, Failure> {
        let destination = self.settings.destination.to_string();
        let relay = Relay::new(
            Arc::clone(&self.store),
            Arc::clone(&self.outlet.sink),
            self.settings.clone(),
        )
        .map_err(failure)?
        .with_observer(Arc::<Watch>::clone(&self.watch));
        let lines = self.outlet.lines.as_deref();
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = closed(lines) => {}
            }
        };
        let outcome = {
            let asks = self.asks_stats || progress.is_seen();
            tokio::select! {
                outcome = relay.run(self.mode, stop) => outcome,
                never = ask_stats(&*self.store, &self.watch, asks) => match never {},
                never = tell(&self.watch, progress) => match never {},
                never = heed(self.hints, relay.waker()) => match never {},
            }
        };
        progress.clear();
        for notice in self.watch.take_notices() {
            progress.notice(&notice);
        }
        // It is why the relay ended, whatever the relay made of it.
        if let Some(error) = lines.and_then(LineSink::take_error) {
            return Err(error.into());
        }
        let report = outcome.map_err(failure)?;
        let left = match (self.mode, report.delivered) {
            (RelayMode::UntilEmpty, 0) => Some(self.store.stats().await?),
            _ => None,
        };
        Ok(Summary::new(destination, report, lines.is_some(), left))
    }
}

impl Summary {
    fn new(
        destination: String,
        report: RelayReport,
        to_stdout: bool,
        left: Option<OutboxStats>,
    ) -> Self {
        Self {
            destination,
            delivered: report.delivered,
            failed_attempts: report.charged,
            leases_lost: report.leases_lost,
            runs_cut_off: report.cut_off,
            to_stdout,
            left,
        }
    }

    /// Events that the sink stored and the outbox was told of.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// In a few words.
    pub(crate) fn words(&self) -> String {
        let delivered = match &self.left {
            Some(stats) => nothing_is_due(stats),
            None => format!("{} delivered", text::counted(self.delivered, "event")),
        };
        let more = [
            (self.failed_attempts, "failed attempt"),
            (self.leases_lost, "lost lease"),
            (self.runs_cut_off, "run cut off, its events may come again;"),
        ];
        let more = more.into_iter().filter(|(count, _)| *count > 0);
        more.fold(delivered, |words, (count, what)| {
            format!("{words}, {}", text::counted(count, what))
        })
    }

    /// The exit code that says whether everything in flight was finished.
    pub(crate) fn exit(&self) -> Exit {
        match self.runs_cut_off {
            0 => Exit::Done,
            _ => Exit::CutOff,
        }
    }
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

fn failure(error: RelayError) -> Failure {
    match error {
        RelayError::Settings(error) => Failure::Usage(error.to_string()),
        RelayError::Store(OutboxError::DestinationMismatch { bound, requested }) => {
            Failure::Destination { bound, requested }
        }
        RelayError::Store(error) => error.into(),
        RelayError::SinkDown { reason } => Failure::SinkDown(reason),
        error => Failure::Usage(error.to_string()),
    }
}

/// Waits until the output takes no more; for ever if nothing goes there.
async fn closed(lines: Option<&LineSink>) {
    match lines {
        Some(lines) => lines.closed().await,
        None => std::future::pending().await,
    }
}

async fn heed(hints: Option<HintListener>, waker: RelayWaker) -> Infallible {
    match hints {
        Some(hints) => hints.run(|| waker.wake()).await,
        None => std::future::pending().await,
    }
}

async fn ask_stats(store: &dyn OutboxStorage, watch: &Watch, asks: bool) -> Infallible {
    if !asks {
        return std::future::pending().await;
    }
    let mut turn = interval(STATS_EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        // The relay itself tells of a store that does not answer.
        if let Ok(stats) = store.stats().await {
            watch.set_stats(&stats);
        }
    }
}

async fn tell(watch: &Watch, progress: &mut Progress<'_>) -> Infallible {
    let mut turn = interval(DRAW_EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            notices = watch.notices() => {
                notices.iter().for_each(|notice| progress.notice(notice));
            }
            _ = turn.tick(), if progress.is_seen() => progress.draw(&watch.doing()),
        }
    }
}
