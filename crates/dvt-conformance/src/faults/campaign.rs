use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{EventSink, Store};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::arrivals::Arrivals;
use super::dice::Dice;
use super::drain::Consumer;
use super::fault::Fault;
use super::ledger::Ledger;
use super::plan::FaultPlan;
use super::producer::Workload;
use super::sink::FaultSink;
use super::store::FaultStore;
use super::toll::Toll;
use crate::audit::audit;
use crate::failure::{Failure, check};
use crate::fixture::LEASE;
use crate::harness::Harness;

/// A campaign in which fewer faults hit says nothing.
const LEAST_HITS: u64 = 50;

/// The seeds to play, so many of them; they are printed. `DVT_FAULTS_SEED`, a number, is the only one if it is set.
pub fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let only = std::env::var("DVT_FAULTS_SEED").ok();
    let only: Option<u64> = only.and_then(|text| text.parse().ok());
    let seeds = match only {
        Some(seed) => seed..seed.saturating_add(1),
        None => 1..count.saturating_add(1),
    };
    println!("faults: seeds {seeds:?}, DVT_FAULTS_SEED plays one alone");
    seeds
}

/// Plays as many [campaigns](campaign), each with a seed of its own, and adds them up.
///
/// # Errors
/// Those of the first campaign that fails, or that some kind of fault hit less often than once for each seed.
pub async fn campaigns<H: Harness>(
    harness: Arc<H>,
    count: u64,
    layer: impl Fn(FaultStore<Arc<dyn Store>>) -> Arc<dyn Store> + Send + Sync,
) -> Result<Toll, Failure> {
    let (mut sum, mut played) = (Toll::default(), 0);
    for seed in seeds(count) {
        sum = sum.and(&campaign(&harness, seed, &layer).await?);
        played += 1;
    }
    println!("{played} campaigns: {sum}");
    // One alone may well have been spared a kind.
    if played > 1 {
        sum.check_kinds(&Fault::ALL, played)?;
    }
    Ok(sum)
}

/// Plays one campaign on a fresh store: producers append and consumers deliver through what `layer` makes of the faulty store,
/// to a faulty sink. Then the faults end, everything is delivered, and what was told is held against what is there.
///
/// On a runtime with a paused clock it takes no time to wait.
///
/// # Errors
/// What was lost, doubled, changed, reordered or torn; or that the campaign is void, since too few faults hit.
pub async fn campaign<H: Harness>(
    harness: &Arc<H>,
    seed: u64,
    layer: impl FnOnce(FaultStore<Arc<dyn Store>>) -> Arc<dyn Store> + Send,
) -> Result<Toll, Failure> {
    let played = play(harness, seed, layer).await;
    played.map_err(|failure| Failure::new(format!("DVT_FAULTS_SEED={seed}: {failure}")))
}

async fn play<H: Harness>(
    harness: &Arc<H>,
    seed: u64,
    layer: impl FnOnce(FaultStore<Arc<dyn Store>>) -> Arc<dyn Store> + Send,
) -> Result<Toll, Failure> {
    let space = harness.create().await?;
    let bare = harness.open(&space).await?;
    let faulty = FaultStore::new(Arc::clone(&bare), FaultPlan::new(seed));
    let of_store = faulty.faults();
    let store = layer(faulty);
    let arrivals = Arc::new(Arrivals::default());
    let faulty = FaultSink::new(Arc::clone(&arrivals), FaultPlan::new(seed));
    let of_sink = faulty.faults();
    let sink: Arc<dyn EventSink> = Arc::new(faulty);
    let ledger = Arc::new(Ledger::default());
    let mut consumers = [0, 1].map(|number| {
        let dice = Dice::new(seed).apart(2_000 + number);
        Consumer::new(&store, &sink, dice)
    });

    let workload = Workload::default();
    let mut producers = JoinSet::new();
    for producer in workload.producers(seed, &store, &ledger) {
        producers.spawn(producer.work(workload.calls));
    }
    while !producers.is_empty() {
        while let Some(worked) = producers.try_join_next() {
            worked??;
        }
        let [first, second] = &mut consumers;
        let (first, second) = tokio::join!(first.turn(), second.turn());
        if first? + second? == 0 {
            // Whatever is held by those who went away is free again.
            outlive_leases(harness, &space).await?;
            sleep(Duration::from_millis(1)).await;
        }
    }
    of_store.heal();
    of_sink.heal();
    let [mut consumer, _] = consumers;
    for turns in 1.. {
        if consumer.turn().await? == 0 {
            let stats = store.stats().await?;
            if stats.pending_events == 0 && stats.parked_runs == 0 {
                break;
            }
            consumer.revive().await?;
            outlive_leases(harness, &space).await?;
        }
        check!(turns < 10_000, "undelivered: {:?}", store.stats().await?);
    }

    ledger.check(&*bare).await?;
    arrivals.check(&*bare).await?;
    audit(&*bare).await?;
    let toll = Toll {
        faults: of_store.counts().and(&of_sink.counts()),
        delivered: arrivals.firsts(),
        repeated: arrivals.repeated(),
        ..ledger.toll()
    };
    toll.check_hits(LEAST_HITS)?;
    Ok(toll)
}

async fn outlive_leases<H: Harness>(harness: &Arc<H>, space: &H::Space) -> Result<(), Failure> {
    let seconds = LEASE.as_secs().cast_signed() + 1;
    Ok(harness.shift_clock(space, seconds).await?)
}
