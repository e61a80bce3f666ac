//! Appends: ours against a hand-written transaction, a bulk insert without checks, and the algorithm that DVT replaces.

use std::num::NonZeroUsize;
use std::sync::Arc;

use dvt_adapter_postgres::PostgresStore;
use dvt_contracts::{AppendRequest, RunKey, RunStateStore, RunStateStoreExt as _};
use dvt_layers::GroupCommit;
use tokio::task::JoinSet;

use crate::BoxError;
use crate::event::{Events, run};
use crate::ground::{Ground, Table};
use crate::report::{Bar, Ratio, Report};
use crate::rounds::{Scale, duel, rate};

mod bulk;
mod crew;
mod raw;
mod seed;

use self::bulk::Bulk;
use self::crew::{Baseline, Crew};
use self::raw::Raw;
use self::seed::Seed;

/// How many call at once where many do.
const CALLERS: u64 = 64;
const BATCH: u64 = 100;
/// How many calls a group commit makes at once.
const FLIGHTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Measures all of it.
pub(crate) async fn measure(
    ground: &Ground,
    scale: Scale,
    report: &mut Report,
) -> Result<(), BoxError> {
    one_caller(ground, scale, report).await?;
    let mut raw = Crew::<Raw>::best(ground, scale).await?;
    against(ground, scale, &mut raw, DISTINCT, report).await?;
    against(ground, scale, &mut raw, HOT, report).await?;
    let mut seed = Crew::<Seed>::best(ground, scale).await?;
    against(ground, scale, &mut seed, SEED, report).await?;
    batches(ground, scale, report).await?;
    replay(ground, scale, report).await
}

/// One event for each call, one call after another, in a run of its own.
pub(crate) async fn one_by_one(
    store: &(impl RunStateStore + ?Sized),
    events: &Events,
    run: &RunKey,
    numbers: std::ops::Range<u64>,
) -> Result<(), BoxError> {
    for number in numbers {
        let request = AppendRequest::new(run.clone(), vec![events.event(number)?]);
        store.append_and_enqueue(request).await?;
    }
    Ok(())
}

/// As baselines and services do their work. The thread that blocks on the runtime would be woken by another one for each reply.
async fn in_task(
    work: impl Future<Output = Result<(), BoxError>> + Send + 'static,
) -> Result<(), BoxError> {
    tokio::spawn(work).await?
}

/// Callers at once, each with its share of the events: of a run of its own, or all of one.
async fn at_once<S: RunStateStore + 'static>(
    store: &Arc<S>,
    runs: &[RunKey],
    share: u64,
) -> Result<(), BoxError> {
    let events = Events::new()?;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (store, events) = (Arc::clone(store), events.clone());
        let run = runs[caller as usize % runs.len()].clone();
        callers.spawn(async move {
            let first = caller * share;
            one_by_one(&*store, &events, &run, first..first + share).await
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn runs(
    ground: &Ground,
    store: &PostgresStore,
    round: usize,
    count: u64,
) -> Result<Vec<RunKey>, BoxError> {
    let mut runs = Vec::new();
    for number in 0..count {
        let run = run(&format!("round-{round}-run-{number}"))?;
        ground.bootstrap(store, &run).await?;
        runs.push(run);
    }
    Ok(runs)
}

async fn one_caller(ground: &Ground, scale: Scale, report: &mut Report) -> Result<(), BoxError> {
    ground.empty().await?;
    let (store, events) = (ground.store(1).await?, Events::new()?);
    let count = scale.events;
    let mut raw = Crew::<Raw>::connect(ground, 1).await?;
    let duel = duel(
        scale,
        async |round| rate(count, raw.append(round, count)).await,
        async |round| {
            let run = runs(ground, &store, round, 1).await?.remove(0);
            let (store, events) = (store.clone(), events.clone());
            let work = async move { one_by_one(&store, &events, &run, 0..count).await };
            rate(count, in_task(work)).await
        },
    )
    .await?;
    let all = count * (scale.rounds as u64 + 1);
    ground.expect(Table::Ours, all).await?;
    ground.expect(Table::Raw, all).await?;
    report.ratio(Ratio {
        group: "append",
        key: "append_1_caller_vs_raw",
        what: "1 caller, 1 event per append vs raw, events/s",
        bar: Bar::AtLeast(1.0),
        duel,
    });
    Ok(())
}

/// What a group commit over the store does with 64 callers.
async fn grouped(
    ground: &Ground,
    store: &PostgresStore,
    round: usize,
    count: u64,
    distinct: u64,
) -> Result<f64, BoxError> {
    let runs = runs(ground, store, round, distinct).await?;
    let layer = Arc::new(GroupCommit::with_flights(store.clone(), FLIGHTS));
    rate(count, at_once(&layer, &runs, count / CALLERS)).await
}

/// So many that each caller has the same share.
fn shared_out(events: u64) -> u64 {
    events / CALLERS * CALLERS
}

/// A group commit with 64 callers, and how much faster it has to be than a baseline.
#[derive(Debug, Clone, Copy)]
struct Grouped {
    key: &'static str,
    what: &'static str,
    bar: f64,
    /// How many runs the callers append to.
    runs: u64,
}

const DISTINCT: Grouped = Grouped {
    key: "append_64_callers_vs_raw_best",
    what: "64 callers, distinct runs, GroupCommit vs best raw, events/s",
    bar: 3.0,
    runs: CALLERS,
};
const HOT: Grouped = Grouped {
    key: "append_hot_run_vs_raw_best",
    what: "64 callers, one hot run, GroupCommit vs best raw, events/s",
    bar: 2.0,
    runs: 1,
};
const SEED: Grouped = Grouped {
    key: "append_64_callers_vs_seed_algorithm",
    what: "64 callers, distinct runs, GroupCommit vs seed algorithm, events/s",
    bar: 10.0,
    runs: CALLERS,
};

async fn against<B: Baseline>(
    ground: &Ground,
    scale: Scale,
    baseline: &mut Crew<B>,
    contest: Grouped,
    report: &mut Report,
) -> Result<(), BoxError> {
    ground.empty().await?;
    let store = ground.store(8).await?;
    let count = shared_out(8 * scale.events);
    let duel = duel(
        scale,
        async |round| {
            ground.settle().await?;
            rate(count, baseline.append(round, count)).await
        },
        async |round| {
            ground.settle().await?;
            grouped(ground, &store, round, count, contest.runs).await
        },
    )
    .await?;
    let all = count * (scale.rounds as u64 + 1);
    ground.expect(Table::Ours, all).await?;
    ground.expect(Table::Raw, all).await?;
    report.ratio(Ratio {
        group: "append",
        key: contest.key,
        what: contest.what,
        bar: Bar::AtLeast(contest.bar),
        duel,
    });
    Ok(())
}

/// Requests of a hundred events for one run.
async fn in_batches(store: PostgresStore, run: RunKey, count: u64) -> Result<(), BoxError> {
    let events = Events::new()?;
    for first in (0..count).step_by(BATCH as usize) {
        let batch = (first..first + BATCH).map(|number| events.event(number));
        let request = AppendRequest::new(run.clone(), batch.collect::<Result<_, _>>()?);
        store.append_and_enqueue(request).await?;
    }
    Ok(())
}

async fn batches(ground: &Ground, scale: Scale, report: &mut Report) -> Result<(), BoxError> {
    ground.empty().await?;
    let store = ground.store(1).await?;
    let count = 10 * scale.events;
    let mut bulk = Crew::<Bulk>::connect(ground, 1).await?;
    let duel = duel(
        scale,
        async |round| rate(count, bulk.append(round, count)).await,
        async |round| {
            let run = runs(ground, &store, round, 1).await?.remove(0);
            rate(count, in_task(in_batches(store.clone(), run, count))).await
        },
    )
    .await?;
    let all = count * (scale.rounds as u64 + 1);
    ground.expect(Table::Ours, all).await?;
    ground.expect(Table::Raw, all).await?;
    report.ratio(Ratio {
        group: "append",
        key: "append_batch100_vs_bulk",
        what: "batches of 100 on one run vs bulk, events/s",
        bar: Bar::AtLeast(0.7),
        duel,
    });
    Ok(())
}

async fn replay(ground: &Ground, scale: Scale, report: &mut Report) -> Result<(), BoxError> {
    ground.empty().await?;
    // As if they were two processes: that the one meets known keys is no hint to the other.
    let (first, again) = (ground.store(1).await?, ground.store(1).await?);
    let count = 10 * scale.events;
    let duel = duel(
        scale,
        async |round| {
            let run = runs(ground, &first, round, 1).await?.remove(0);
            rate(count, in_task(in_batches(first.clone(), run, count))).await
        },
        async |round| {
            let run = run(&format!("round-{round}-run-0"))?;
            rate(count, in_task(in_batches(again.clone(), run, count))).await
        },
    )
    .await?;
    ground
        .expect(Table::Ours, count * (scale.rounds as u64 + 1))
        .await?;
    report.ratio(Ratio {
        group: "append",
        key: "replay_vs_append",
        what: "replay of what is there, batches of 100, vs first append, events/s",
        bar: Bar::AtLeast(1.5),
        duel,
    });
    Ok(())
}
