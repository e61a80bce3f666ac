//! A relay that is woken by hints, and one that is not (CASES I 83).

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::note;
use dvt_contracts::{Destination, EventSink, Published, RunEvent, RunKey, RunStateStoreExt as _};
use dvt_relay::{Relay, RelayMode, RelaySettings};
use tokio::sync::mpsc;

use crate::ground::Ground;
use crate::hints::hinting;
use crate::stage::{open, request};
use crate::trial::{Outcome, trials};

trials![
    a_hint_brings_an_append_to_the_relay_long_before_its_next_look,
    i83_without_hints_the_delay_is_the_poll_interval_at_most,
];

/// Tells when events arrive.
#[derive(Debug)]
struct Sink(mpsc::UnboundedSender<u64>);

#[async_trait]
impl EventSink for Sink {
    async fn publish(&self, _: &RunKey, _: u64, events: &[RunEvent]) -> Published {
        for event in events {
            self.0.send(event.run_seq).unwrap();
        }
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}

/// The delays from the reply to an append until its event arrives, of some appends one after another, in order of size.
async fn delays(ground: &Ground, poll_interval: Duration) -> Vec<Duration> {
    let run = ground.bootstrap("run").await;
    let reader: PostgresStore = open(ground.schema.settings()).await;
    let (arrivals, mut arrived) = mpsc::unbounded_channel();
    let settings = RelaySettings {
        poll_interval,
        ..RelaySettings::new(Destination::new("test:").unwrap())
    };
    let sink = Arc::new(Sink(arrivals));
    let relay = Relay::new(Arc::new(reader.clone()), sink, settings).unwrap();
    let waker = relay.waker();
    let hints = reader.hint_listener().run(move || waker.wake());
    let relaying = relay.run(RelayMode::Forever, std::future::pending());
    let appending = async {
        let mut delays = Vec::new();
        for run_seq in 1..=15 {
            let call = request(&run, note(&format!("k{run_seq}")));
            ground.store.append_and_enqueue(call).await.unwrap();
            let begun = Instant::now();
            assert_eq!(arrived.recv().await, Some(run_seq));
            delays.push(begun.elapsed());
        }
        delays.sort();
        delays
    };
    tokio::select! {
        delays = appending => delays,
        ended = pin!(relaying) => panic!("the relay ended: {ended:?}"),
        never = pin!(hints) => match never {},
    }
}

async fn a_hint_brings_an_append_to_the_relay_long_before_its_next_look() -> Outcome {
    // The first look after an empty one would come after a fiftieth of it, 20 s.
    let delays = delays(&hinting().await, Duration::from_secs(1_000)).await;

    assert!(
        delays[delays.len() / 2] < Duration::from_secs(1),
        "{delays:?}"
    );
    assert!(
        delays[delays.len() - 1] < Duration::from_secs(10),
        "{delays:?}"
    );
    println!("with hints {delays:?}");
    Ok(())
}

async fn i83_without_hints_the_delay_is_the_poll_interval_at_most() -> Outcome {
    let poll_interval = Duration::from_millis(500);
    let delays = delays(&Ground::new().await, poll_interval).await;

    // What a busy machine may add.
    let most = poll_interval + Duration::from_secs(2);
    assert!(delays[delays.len() - 1] < most, "{delays:?}");
    println!("without hints {delays:?}");
    Ok(())
}
