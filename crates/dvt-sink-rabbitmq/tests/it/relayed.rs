//! Through the real relay.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dvt_adapter_memory::MemoryStore;
use dvt_cloudevents::{Inbox, Received, Verdict};
use dvt_conformance::fixture;
use dvt_contracts::{
    BootstrapRequest, DeadLetterQuery, OutboxStorage as _, RetryPolicy, RunKey, RunStateStore as _,
};
use dvt_relay::{Relay, RelayError, RelayMode, RelayReport, RelaySettings};
use dvt_sink_rabbitmq::{RabbitMqSettings, RabbitMqSink};
use lapin::ExchangeKind;

use crate::broker::Broker;
use crate::proxy::Proxy;
use crate::stage::{LONG, SHORT, by_way_of, settings};
use crate::trial::{Outcome, trials};

trials![
    everything_arrives_once_and_in_order,
    cuts_repeat_events_but_never_reorder_them,
    a_run_without_a_queue_parks_alone,
    an_outage_charges_nobody,
];

const RUNS: usize = 50;
const EVENTS: usize = 40;
const ODD: [&str; 5] = [
    "1e400",
    "{\"a\":1,\"a\":2}",
    "\"\\u00e9\\/\\ud83d\\ude00\"",
    "[ 1 ,\n2\t]",
    "-0",
];

/// So many runs with so many events, one of them of a mebibyte.
async fn recorded(runs: usize, events: usize) -> MemoryStore {
    let store = MemoryStore::new();
    for number in 0..runs {
        let mut events = fixture::notes(1, events);
        for (event, payload) in events.iter_mut().zip(ODD) {
            *event = event.clone().with_payload(fixture::payload(payload));
        }
        if number == 0 {
            let long = format!("\"{}\"", "x".repeat(1024 * 1024 - 2));
            let last = events.pop().unwrap();
            events.push(last.with_payload(fixture::payload(&long)));
        }
        let request = BootstrapRequest {
            run: run(number),
            metadata: fixture::metadata(),
            events,
        };
        store.bootstrap_run(&request).await.unwrap();
    }
    store
}

fn run(number: usize) -> RunKey {
    fixture::run(&format!("run {number}"))
}

async fn relay(store: &MemoryStore, settings: RabbitMqSettings) -> Result<RelayReport, RelayError> {
    let destination = settings.destination();
    let sink = RabbitMqSink::connect(settings).await.unwrap();
    relay_to(store, destination, Arc::new(sink)).await
}

async fn relay_to(
    store: &MemoryStore,
    destination: dvt_contracts::Destination,
    sink: Arc<RabbitMqSink>,
) -> Result<RelayReport, RelayError> {
    let settings = RelaySettings {
        retry: RetryPolicy::new(
            3.try_into().unwrap(),
            Duration::from_millis(1),
            Duration::from_millis(10),
        )
        .unwrap(),
        probe_interval: Duration::from_millis(100),
        ..RelaySettings::new(destination)
    };
    let relay = Relay::new(Arc::new(store.clone()), sink, settings).unwrap();
    relay
        .run(RelayMode::UntilEmpty, std::future::pending())
        .await
}

/// What is in the queue, per run, without what was there before; and how many messages that were in all.
async fn firsts(broker: &Broker, queue: &str) -> (HashMap<RunKey, Vec<Received>>, usize) {
    let mut inbox = Inbox::default();
    let mut firsts: HashMap<_, Vec<_>> = HashMap::new();
    let messages = broker.all(queue).await;
    for message in &messages {
        let received = Received::from_json(&message.data).unwrap();
        match inbox.receive(&received) {
            Verdict::Next => firsts
                .entry(received.run.clone())
                .or_default()
                .push(received),
            Verdict::Duplicate => {}
            other => panic!("{other:?}: {} {}", received.run, received.run_seq),
        }
    }
    (firsts, messages.len())
}

/// That each run arrived whole, in order, as it is in the store. How many messages there were.
async fn assert_complete(
    store: &MemoryStore,
    broker: &Broker,
    queue: &str,
    runs: impl Iterator<Item = usize>,
) -> usize {
    let (firsts, total) = firsts(broker, queue).await;
    for number in runs {
        let run = run(number);
        let stored = store.list_events(&run, 0, 1_000).await.unwrap().events;
        let arrived = &firsts[&run];
        assert_eq!(arrived.len(), stored.len(), "{run}");
        for (arrived, stored) in arrived.iter().zip(&stored) {
            assert_eq!(arrived.run_seq, stored.run_seq);
            assert_eq!(arrived.id, stored.event_id(&run).to_string());
            assert!(
                arrived.data == stored.event.payload().as_str(),
                "{run} {}",
                stored.run_seq
            );
        }
    }
    total
}

async fn everything_arrives_once_and_in_order() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let store = recorded(RUNS, EVENTS).await;

    let report = relay(&store, settings(&broker)).await?;

    assert_eq!(
        (report.delivered, report.charged),
        ((RUNS * EVENTS) as u64, 0)
    );
    let total = assert_complete(&store, &broker, &queue, 0..RUNS).await;
    assert_eq!(total, RUNS * EVENTS);
    assert_eq!(store.stats().await?.pending_events, 0);
    Ok(())
}

async fn cuts_repeat_events_but_never_reorder_them() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Arc::new(Proxy::new().await);
    let store = recorded(20, EVENTS).await;
    let settings = by_way_of(&proxy, &broker);
    let destination = settings.destination();
    let sink = Arc::new(RabbitMqSink::connect(settings).await?);
    let cutting = tokio::spawn({
        let (proxy, store) = (Arc::clone(&proxy), store.clone());
        async move {
            for pending in [700, 500, 300, 100] {
                while store.stats().await.unwrap().pending_events > pending {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                proxy.cut();
            }
        }
    });

    // A cut that hits all runs at once looks like an outage, and is over when the relay is started again.
    let delivered = tokio::time::timeout(2 * LONG, async {
        loop {
            match relay_to(&store, destination.clone(), Arc::clone(&sink)).await {
                Ok(report) => return report.charged,
                Err(RelayError::SinkDown { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    });
    let charged = delivered.await?;
    cutting.await?;

    assert_eq!(store.stats().await?.pending_events, 0, "{charged}");
    let total = assert_complete(&store, &broker, &queue, 0..20).await;
    assert!(total >= 20 * EVENTS);
    assert!(proxy.seen().accepted > 1);
    Ok(())
}

async fn a_run_without_a_queue_parks_alone() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Direct).await;
    let tenant = dvt_cloudevents::encode(run(0).tenant_id.as_str());
    let key = |number| format!("dvt.{tenant}.run%20{number}");
    let queue = broker.queue(&key(0)).await;
    for number in (1..20).filter(|number| *number != 7) {
        broker.bind(&queue, &key(number)).await;
    }
    let store = recorded(20, EVENTS).await;

    // The relay ends when nobody is left but runs that back off; so it is started again until that run parks.
    let (mut delivered, mut charged) = (0, 0);
    let parked = async {
        while store.stats().await.unwrap().parked_runs == 0 {
            let report = relay(&store, settings(&broker)).await.unwrap();
            delivered += report.delivered;
            charged += report.charged;
        }
    };
    tokio::time::timeout(2 * LONG, parked).await?;

    assert_eq!((delivered, charged), (19 * EVENTS as u64, 3));
    let others = (0..20).filter(|number| *number != 7);
    let total = assert_complete(&store, &broker, &queue, others).await;
    assert_eq!(total, 19 * EVENTS);
    let letters = store.list_dead_letters(&DeadLetterQuery::default()).await?;
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert_eq!(
        (&letter.run, letter.run_seq, letter.attempts),
        (&run(7), 1, 3)
    );
    assert_eq!(
        letter.error.as_str(),
        format!(
            "returned: no queue is bound to the exchange {} for the routing key {}",
            broker.exchange,
            key(7)
        )
    );
    Ok(())
}

async fn an_outage_charges_nobody() -> Outcome {
    let mut broker = Broker::new(ExchangeKind::Topic).await;
    let queue = broker.queue("#").await;
    let proxy = Proxy::new().await;
    let settings = by_way_of(&proxy, &broker).with_confirm_timeout(SHORT)?;
    let destination = settings.destination();
    let sink = Arc::new(RabbitMqSink::connect(settings).await?);
    let store = recorded(20, EVENTS).await;
    proxy.go_away().await;

    // It gives up when the server is down; so it is started again, more often than an event has attempts.
    for _ in 0..5 {
        match relay_to(&store, destination.clone(), Arc::clone(&sink)).await {
            Err(RelayError::SinkDown { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    proxy.come_back().await;
    let report = relay_to(&store, destination, sink).await?;

    assert_eq!((report.delivered, report.charged), (20 * EVENTS as u64, 0));
    let total = assert_complete(&store, &broker, &queue, 0..20).await;
    assert_eq!(total, 20 * EVENTS);
    Ok(())
}
