//! Claims: beside many runs that have nothing to claim, and while somebody keeps the server from tidying up.

use std::time::{Duration, Instant};

use dvt_adapter_postgres::PostgresStore;
use dvt_contracts::{
    Acknowledgement, AppendRequest, ClaimRequest, OutboxStorage as _, RunKey, RunStateStore as _,
};
use hdrhistogram::Histogram;
use sqlx::Executor as _;

use crate::BoxError;
use crate::event::{Events, run};
use crate::fill::{Runs, State};
use crate::ground::Ground;
use crate::report::{Bar, Ratio, Report};
use crate::rounds::{Duel, Scale, duel};

/// How many runs a cycle appends to, claims, and acknowledges.
const AT_ONCE: usize = 20;

/// Runs that are at work, and what has been appended to each.
#[derive(Debug)]
pub(crate) struct Load {
    store: PostgresStore,
    events: Events,
    runs: Vec<RunKey>,
    appended: u64,
}

impl Load {
    pub(crate) async fn new(ground: &Ground, runs: usize) -> Result<Self, BoxError> {
        let store = ground.store(1).await?;
        let mut names = Vec::new();
        for number in 0..runs {
            let run = run(&format!("busy-{number}"))?;
            ground.bootstrap(&store, &run).await?;
            names.push(run);
        }
        Ok(Self {
            store,
            events: Events::new()?,
            runs: names,
            appended: 0,
        })
    }

    /// Appends an event to some runs, claims these and acknowledges them. How long the claim took, and it and the
    /// acknowledgement together.
    pub(crate) async fn cycle(&mut self) -> Result<(Duration, Duration), BoxError> {
        let mut requests = Vec::new();
        for _ in 0..AT_ONCE {
            let run = self.runs[self.appended as usize % self.runs.len()].clone();
            let event = self.events.event(self.appended)?;
            requests.push(AppendRequest::new(run, vec![event]));
            self.appended += 1;
        }
        for reply in self.store.append_batch(&requests).await? {
            reply?;
        }
        let begun = Instant::now();
        let claimed = self
            .store
            .claim(&ClaimRequest {
                max_runs: AT_ONCE as u32,
                max_events_per_run: 100,
                max_bytes: 16 * 1024 * 1024,
                lease: Duration::from_secs(30),
            })
            .await?;
        let claim = begun.elapsed();
        let acknowledgements: Vec<_> = claimed
            .iter()
            .filter_map(|claimed| {
                let through = claimed.events.last()?.run_seq;
                let lease = claimed.lease.clone();
                Some(Acknowledgement { lease, through })
            })
            .collect();
        if acknowledgements.len() != AT_ONCE {
            return Err(format!("{} runs claimed of {AT_ONCE}", acknowledgements.len()).into());
        }
        for done in self.store.mark_delivered(&acknowledgements).await? {
            done?;
        }
        Ok((claim, begun.elapsed()))
    }

    /// Claims and acknowledgements per second, without the appends between them.
    pub(crate) async fn rate(&mut self, cycles: u64) -> Result<f64, BoxError> {
        let mut time = Duration::ZERO;
        for _ in 0..cycles {
            time += self.cycle().await?.1;
        }
        Ok(cycles as f64 / time.as_secs_f64())
    }
}

/// Measures both.
pub(crate) async fn measure(
    ground: &Ground,
    crowded: &Ground,
    scale: Scale,
    report: &mut Report,
) -> Result<(), BoxError> {
    beside_idle_runs(ground, crowded, scale, report).await?;
    pinned(ground, scale, report).await
}

async fn beside_idle_runs(
    ground: &Ground,
    crowded: &Ground,
    scale: Scale,
    report: &mut Report,
) -> Result<(), BoxError> {
    ground.empty().await?;
    crowded.empty().await?;
    let many = if scale.is_quick() { 1_000 } else { 1_000_000 };
    for (prefix, runs, state) in [
        ("idle", many, State::Delivered),
        ("parked", many / 10, State::Parked),
    ] {
        let runs = Runs {
            prefix,
            runs,
            events_each: 1,
            state,
        };
        runs.write(crowded).await?;
    }
    crowded.settle().await?;
    let (mut alone, mut beside) = (
        Load::new(ground, 200).await?,
        Load::new(crowded, 200).await?,
    );
    let cycles = scale.events / 4;
    let duel = duel(
        scale,
        async |_| alone.rate(cycles).await,
        async |_| beside.rate(cycles).await,
    )
    .await?;
    report.ratio(Ratio {
        group: "outbox",
        key: "claim_idle_runs_vs_empty",
        what: "claim and acknowledge beside 1,000,000 idle and 100,000 parked runs vs none, calls/s",
        bar: Bar::AtLeast(0.8),
        duel,
    });
    crowded.empty().await
}

/// The same load, then while another connection keeps an old snapshot. Of that time the last quarter counts, when what cannot be
/// tidied up is most.
async fn pinned(ground: &Ground, scale: Scale, report: &mut Report) -> Result<(), BoxError> {
    ground.empty().await?;
    let pinned_for = Duration::from_secs(if scale.is_quick() { 4 } else { 120 });
    let mut load = Load::new(ground, 2_000).await?;
    claims_for(&mut load, pinned_for / 8).await?;
    let base = claims_for(&mut load, pinned_for / 4).await?;
    let mut other = ground.connect().await?;
    other
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM run_metadata")
        .await?;
    claims_for(&mut load, pinned_for * 3 / 4).await?;
    let pinned = claims_for(&mut load, pinned_for / 4).await?;
    other.execute("ROLLBACK").await?;
    let (before, after) = (base.value_at_quantile(0.99), pinned.value_at_quantile(0.99));
    report.ratio(Ratio {
        group: "outbox",
        key: "claim_p99_pinned_vs_base",
        what: "claim p99 in the last 30 s of two minutes under an old snapshot vs without, µs",
        bar: Bar::AtMost(3.0),
        duel: Duel {
            baseline: before as f64,
            ours: after as f64,
            ratio: after as f64 / before as f64,
        },
    });
    report.latency("claim of 20 runs", base);
    report.latency("claim of 20 runs, old snapshot", pinned);
    Ok(())
}

/// How long each claim took, in microseconds.
async fn claims_for(load: &mut Load, time: Duration) -> Result<Histogram<u64>, BoxError> {
    let mut micros = Histogram::new(3)?;
    let begun = Instant::now();
    while begun.elapsed() < time {
        let (claim, _) = load.cycle().await?;
        micros.record(u64::try_from(claim.as_micros())?)?;
    }
    Ok(micros)
}
