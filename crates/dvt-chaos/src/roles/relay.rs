use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use dvt_chaos::proxy::Dice;
use dvt_contracts::{
    EventSink, OutboxStorage, OutboxStorageExt as _, RetryPolicy, SafeText, Store,
};
use dvt_relay::{Relay, RelayEvent, RelayMode, RelayObserver, RelaySettings};

use super::order::{Order, Orders};
use super::recorded::Recorded;
use super::scribe_sink::ScribeSink;
use super::{LEASE_MILLIS, MAX_ATTEMPTS, Station};
use crate::BoxError;
use crate::pen::Pen;

/// Delivers, with the relay of the library; beside it a zombie tries leases that have ended.
pub(crate) async fn run(
    station: &Station,
    store: Arc<dyn Store>,
    pen: Pen,
    orders: Orders,
) -> Result<(), BoxError> {
    let (store, sink) = parts(station, store).await?;
    let recorded = Arc::new(Recorded::new(store, pen.lane("relay")));
    let settings = settings()?;
    let observer = Arc::new(Losses);
    let relay = Relay::new(Arc::clone(&recorded) as _, sink, settings)?.with_observer(observer);
    let zombie = tokio::spawn(zombie(
        recorded.written_by(pen.lane("zombie")),
        orders.clone(),
        station.seed ^ station.number,
    ));
    let ended = relay
        .run(RelayMode::Forever, orders.reach(Order::Stop))
        .await;
    zombie.abort();
    ended?;
    Ok(())
}

#[cfg(feature = "planted")]
async fn parts(
    station: &Station,
    store: Arc<dyn Store>,
) -> Result<(Arc<dyn OutboxStorage>, Arc<dyn EventSink>), BoxError> {
    crate::planted::relay_parts(station, store, Arc::new(scribe_sink(station))).await
}

#[cfg(not(feature = "planted"))]
#[expect(clippy::unused_async, reason = "the planted one waits")]
async fn parts(
    station: &Station,
    store: Arc<dyn Store>,
) -> Result<(Arc<dyn OutboxStorage>, Arc<dyn EventSink>), BoxError> {
    Ok((store, Arc::new(scribe_sink(station))))
}

fn scribe_sink(station: &Station) -> ScribeSink {
    ScribeSink {
        folder: station.folder.clone(),
        name: station.name(),
    }
}

/// Short waits, so that much happens in a minute.
fn settings() -> Result<RelaySettings, BoxError> {
    let attempts = NonZeroU32::new(MAX_ATTEMPTS).unwrap_or(NonZeroU32::MIN);
    Ok(RelaySettings {
        max_runs_in_flight: 16,
        max_events_per_run: 50,
        lease: Duration::from_millis(LEASE_MILLIS),
        publish_timeout: Duration::from_secs(4),
        retry: RetryPolicy::new(
            attempts,
            Duration::from_millis(20),
            Duration::from_millis(300),
        )?,
        poll_interval: Duration::from_millis(250),
        verdict_within: Duration::from_millis(200),
        probe_interval: Duration::from_millis(500),
        stop_within: Duration::from_secs(3),
        ..RelaySettings::new("scribe:".parse()?)
    })
}

/// Tells of a store that broke its rules; the rest is in the history.
#[derive(Debug)]
struct Losses;

impl RelayObserver for Losses {
    fn observe(&self, event: &RelayEvent<'_>) {
        if let RelayEvent::StoreFailed { error } = event
            && error.class() == dvt_contracts::ErrorClass::Bug
        {
            eprintln!("relay: {error}");
        }
    }
}

/// Tries what no relay would: an answer under a lease that was answered before. Each has to be refused.
async fn zombie(store: Recorded<dyn OutboxStorage>, orders: Orders, seed: u64) {
    let mut dice = Dice::new(seed);
    while orders.now() == Order::Work {
        tokio::time::sleep(Duration::from_millis(50 + dice.roll(300))).await;
        let Some((lease, last)) = store.any_ended(|many| dice.roll(many)) else {
            continue;
        };
        // What each says is in the history, for the checker.
        match dice.roll(4) {
            0 | 1 => drop(store.acknowledge(&lease, last).await),
            2 => drop(store.release_one(&lease).await),
            _ => {
                let policy = RetryPolicy::default();
                drop(
                    store
                        .mark_failed(&lease, last, &SafeText::new("a zombie"), &policy)
                        .await,
                );
            }
        }
    }
}
