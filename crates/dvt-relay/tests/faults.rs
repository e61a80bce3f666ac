//! Relays between a faulty store and a faulty sink: whatever fails, each event arrives, first arrivals in order.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken fixture must fail the test"
)]

#[expect(dead_code, reason = "the tests of delivery share it")]
mod world;

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dvt_conformance::faults::{
    Arrivals, Fault, FaultPlan, FaultSink, FaultStore, Ledger, Method, Rates, Toll, Workload,
    after_polls, seeds,
};
use dvt_conformance::{Failure, fixture};
use dvt_contracts::{
    EventSink, OutboxStorage, Published, RetryPolicy, RunEvent, RunKey, Stop, Store,
};
use dvt_relay::{Relay, RelayError, RelayMode, RelayReport, RelaySettings};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use world::World;

const SECOND: Duration = Duration::from_secs(1);
/// How many seeds are played.
const SEEDS: u64 = 40;
/// Each bug must be found within so many campaigns.
const BUDGET: u64 = 10;

/// What may stand between the relays and the sink.
type Between = fn(Arc<dyn EventSink>) -> Arc<dyn EventSink>;

fn settings(world: &World) -> RelaySettings {
    let patient = RetryPolicy::new(NonZeroU32::MAX, SECOND / 10, SECOND).unwrap();
    RelaySettings {
        max_runs_in_flight: 4,
        max_events_per_run: 4,
        lease: 2 * SECOND,
        publish_timeout: SECOND / 2,
        poll_interval: SECOND / 10,
        verdict_within: SECOND / 10,
        probe_interval: SECOND / 2,
        stop_within: SECOND,
        retry: patient,
        ..world.settings()
    }
}

/// A relay, and another one each time it is gone: dropped after `lives`, if they end.
async fn relays(
    relay: impl Fn() -> Relay + Send,
    lives: Option<Duration>,
    stop: watch::Receiver<bool>,
) -> Result<RelayReport, RelayError> {
    loop {
        let mut stopped = stop.clone();
        let relay = relay();
        let work = relay.run(RelayMode::Forever, async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        let Some(life) = lives else {
            return work.await;
        };
        if let Ok(ended) = timeout(life, work).await {
            return ended;
        }
    }
}

/// Three relays, two of which die again and again, deliver what producers append.
async fn play(seed: u64, between: Between) -> Result<Toll, Failure> {
    let world = World::new();
    let store = FaultStore::new(world.store.clone(), FaultPlan::new(seed));
    let of_store = store.faults();
    let store: Arc<FaultStore<_>> = Arc::new(store);
    let arrivals = Arc::new(Arrivals::default());
    // Some take longer than a publish may, and longer than a lease lasts without being lengthened.
    let slow = FaultPlan::new(seed).with_longest_delay(SECOND * 2 / 5);
    let sink = FaultSink::new(Arc::clone(&arrivals), slow);
    let of_sink = sink.faults();
    let sink = between(Arc::new(sink));
    let ledger = Arc::new(Ledger::default());

    let (workload, mut producers) = (Workload::default(), JoinSet::new());
    let dyn_store: Arc<dyn Store> = Arc::clone(&store) as _;
    for producer in workload.producers(seed, &dyn_store, &ledger) {
        producers.spawn(producer.work(workload.calls));
    }
    let (stop, stopped) = watch::channel(false);
    let mut working = JoinSet::new();
    for lives in [None, Some(SECOND), Some(SECOND * 7 / 10)] {
        let (store, sink) = (Arc::clone(&store), Arc::clone(&sink));
        let settings = settings(&world);
        let relay = move || {
            let store: Arc<dyn OutboxStorage> = Arc::clone(&store) as _;
            Relay::new(store, Arc::clone(&sink), settings.clone()).unwrap()
        };
        working.spawn(relays(relay, lives, stopped.clone()));
    }
    while let Some(worked) = producers.join_next().await {
        worked??;
    }
    sleep(3 * SECOND).await;
    of_store.heal();
    of_sink.heal();
    for _ in 0..60 {
        sleep(SECOND).await;
        if world.stats().await.pending_events == 0 {
            break;
        }
    }
    stop.send(true).unwrap();
    while let Some(ended) = working.join_next().await {
        ended?.map_err(|error| Failure::new(format!("ended: {error}")))?;
    }

    ledger.check(&world.store).await?;
    arrivals.check(&world.store).await?;
    let toll = Toll {
        faults: of_store.counts().and(&of_sink.counts()),
        delivered: arrivals.firsts(),
        repeated: arrivals.repeated(),
        ..ledger.toll()
    };
    toll.check_hits(50)?;
    Ok(toll)
}

#[tokio::test(start_paused = true)]
async fn relays_under_faults_deliver_everything_in_order() {
    let (mut sum, mut played) = (Toll::default(), 0);
    for seed in seeds(SEEDS) {
        match play(seed, |sink| sink).await {
            Ok(toll) => sum = sum.and(&toll),
            Err(failure) => panic!("DVT_FAULTS_SEED={seed}: {failure}"),
        }
        played += 1;
    }
    println!("{played} campaigns: {sum}");
    if played > 1 {
        sum.check_kinds(&Fault::ALL, played).unwrap();
    }
}

/// A sink that stands for what a relay could get wrong about it.
#[derive(Debug)]
struct Planted {
    sink: Arc<dyn EventSink>,
    bug: Bug,
}

#[derive(Debug, Clone, Copy)]
enum Bug {
    /// What has an unknown outcome counts as stored.
    UnknownIsStored,
    /// What is told of comes before it is done, and what becomes of it is not heard.
    AcknowledgedBeforePublished,
    /// The event at which the sink stopped counts as stored.
    OneTooMany,
    /// The last event goes out first.
    LastFirst,
}

#[async_trait]
impl EventSink for Planted {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let all = Published {
            stored: events.len(),
            stop: None,
        };
        match self.bug {
            Bug::UnknownIsStored => {
                let published = self.sink.publish(run, claim_no, events).await;
                match published.stop {
                    Some(Stop::Unknown { .. }) => all,
                    _ => published,
                }
            }
            Bug::AcknowledgedBeforePublished => {
                let (sink, run, events) = (Arc::clone(&self.sink), run.clone(), events.to_vec());
                tokio::spawn(async move { sink.publish(&run, claim_no, &events).await });
                all
            }
            Bug::OneTooMany => {
                let mut published = self.sink.publish(run, claim_no, events).await;
                if published.stop.is_some() {
                    published.stored += 1;
                }
                published
            }
            Bug::LastFirst => {
                let last = events.len() - 1;
                self.sink.publish(run, claim_no, &events[last..]).await;
                self.sink.publish(run, claim_no, events).await
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_planted_bug_is_noticed() {
    let planted: [(&str, &[&str], Between); 4] = [
        ("UnknownIsStored", &["reordered", "undelivered"], |sink| {
            let bug = Bug::UnknownIsStored;
            Arc::new(Planted { sink, bug })
        }),
        (
            "AcknowledgedBeforePublished",
            &["reordered", "undelivered"],
            |sink| {
                let bug = Bug::AcknowledgedBeforePublished;
                Arc::new(Planted { sink, bug })
            },
        ),
        ("OneTooMany", &["reordered", "undelivered"], |sink| {
            let bug = Bug::OneTooMany;
            Arc::new(Planted { sink, bug })
        }),
        ("LastFirst", &["reordered"], |sink| {
            let bug = Bug::LastFirst;
            Arc::new(Planted { sink, bug })
        }),
    ];
    for (name, words, between) in planted {
        let mut found = Vec::new();
        for seed in 1..=BUDGET {
            if let Err(failure) = play(seed, between).await {
                found.push(failure.to_string());
            }
        }
        let named = |failure: &&String| words.iter().any(|word| failure.starts_with(word));
        println!("{name}: {} of {BUDGET}", found.iter().filter(named).count());
        assert!(
            found.iter().any(|failure| named(&failure)),
            "{name}: {found:?}"
        );
    }
}

/// CASES E 50: no relay ends because the store is away when it begins.
#[tokio::test(start_paused = true)]
async fn a_relay_waits_for_a_store_that_is_away_when_it_begins() {
    for lost in [Fault::Refused, Fault::RequestLost, Fault::ReplyLost] {
        let world = World::new();
        world.runs(1, 3).await;
        let always = match lost {
            Fault::Refused => Rates {
                refused: 1_000,
                ..Rates::NONE
            },
            Fault::RequestLost => Rates {
                request_lost: 1_000,
                ..Rates::NONE
            },
            _ => Rates {
                reply_lost: 1_000,
                ..Rates::NONE
            },
        };
        let plan = FaultPlan::new(1)
            .with_rates(Rates::NONE)
            .with_rates_of(Method::BindDestination, always);
        let store = FaultStore::new(world.store.clone(), plan);
        let faults = store.faults();
        let relay = Relay::new(Arc::new(store), world.sink.clone(), settings(&world)).unwrap();
        let stopped = relay.run(RelayMode::Forever, sleep(5 * SECOND)).await;
        assert_eq!(stopped.unwrap(), RelayReport::default(), "{lost}");

        let returns = async {
            sleep(30 * SECOND).await;
            faults.heal();
        };
        let work = relay.run(RelayMode::UntilEmpty, std::future::pending());
        let (report, ()) = tokio::join!(work, returns);

        assert_eq!(report.unwrap().delivered, 3, "{lost}");
    }
}

/// CASES D 37: dropped after each number of polls, at once and after a moment, a relay leaves nothing but leases that end by
/// their time, and another one delivers everything.
#[tokio::test(start_paused = true)]
async fn a_relay_may_be_dropped_at_every_await() {
    let (mut drops, mut leased) = (0, 0);
    for lingers in [false, true] {
        for polls in 0.. {
            let Some(left) = dropped_after(polls, lingers).await else {
                break;
            };
            drops += 1;
            leased += left;
        }
    }
    println!("{drops} relays dropped, with {leased} runs under lease in all");
    assert!(drops > 40 && leased > 40, "{drops} {leased}");
}

/// How many runs the relay left under lease; nothing if it came to its end.
async fn dropped_after(polls: usize, lingers: bool) -> Option<u64> {
    let world = World::new();
    world.runs(4, 5).await;
    // Calls take their time, so that there is something to be dropped in the middle of.
    let slow = Rates {
        delayed: 1_000,
        ..Rates::NONE
    };
    let plan = FaultPlan::new(polls as u64).with_rates(slow);
    let store = Arc::new(FaultStore::new(world.store.clone(), plan.clone()));
    let arrivals = Arc::new(Arrivals::default());
    let sink = Arc::new(FaultSink::new(Arc::clone(&arrivals), plan));
    let settings = RelaySettings {
        max_runs_in_flight: 2,
        max_events_per_run: 2,
        ..settings(&world)
    };
    let relay = Relay::new(store, sink, settings.clone()).unwrap();
    {
        let mut run = pin!(relay.run(RelayMode::UntilEmpty, std::future::pending()));
        if let Some(report) = after_polls(polls, run.as_mut()).await {
            assert_eq!(report.unwrap().delivered, 20);
            return None;
        }
        if lingers {
            sleep(SECOND / 100).await;
        }
    }
    let leased = world.stats().await.leased_runs;

    sleep(settings.lease + SECOND).await;
    assert_eq!(world.stats().await.leased_runs, 0, "{polls}");
    let store = Arc::new(world.store.clone());
    let another = Relay::new(store, Arc::clone(&arrivals) as _, settings).unwrap();
    let report = another.run(RelayMode::UntilEmpty, std::future::pending());
    report.await.unwrap();
    arrivals.check(&world.store).await.unwrap();
    assert_eq!(arrivals.firsts(), 20, "{polls}");
    let claimed = world.store.claim(&fixture::claim_all()).await.unwrap();
    assert_eq!(claimed, [], "{polls}");
    Some(leased)
}
