//! A relay from a store to the bus.

use std::sync::Arc;
use std::time::Instant;

use dvt_adapter_memory::MemoryStore;
use dvt_cloudevents::{Inbox, Verdict};
use dvt_conformance::fixture;
use dvt_contracts::{BootstrapRequest, OutboxStorage as _, RunStateStore as _};
use dvt_relay::{Relay, RelayMode, RelaySettings};

use crate::bus::Bus;

const ODD: [&str; 4] = [
    r#"{"a":1e400,"a":-0}"#,
    "\"\\u0041\\n\"",
    "[ 1 ,2]",
    "12345678901234567890",
];

async fn filled(runs: usize, events: usize) -> MemoryStore {
    let store = MemoryStore::new();
    for number in 0..runs {
        let notes = fixture::notes(1, events).into_iter().enumerate();
        let events = notes.map(|(at, note)| {
            let odd = ODD[(number + at) % ODD.len()];
            note.with_payload(fixture::payload(odd))
        });
        let request = BootstrapRequest {
            run: fixture::run(&format!("run.{number}/ü")),
            metadata: fixture::metadata(),
            events: events.collect(),
        };
        store.bootstrap_run(&request).await.unwrap();
    }
    store
}

async fn relay(bus: &Bus, store: &MemoryStore) -> u64 {
    bus.stream().await;
    let settings = bus.settings();
    let destination = settings.destination().unwrap();
    let sink = dvt_sink_nats::NatsSink::connect(settings).await.unwrap();
    let relay = Relay::new(
        Arc::new(store.clone()),
        Arc::new(sink),
        RelaySettings::new(destination),
    );
    let ended = relay
        .unwrap()
        .run(RelayMode::UntilEmpty, std::future::pending())
        .await;
    ended.unwrap().delivered
}

pub(crate) async fn everything_arrives_once_and_in_order_with_its_bytes(bus: &Bus) {
    let (runs, events) = (50, 40);
    let store = filled(runs, events).await;
    let large = format!("\"{}\"", "x".repeat(900_000));
    let large = fixture::note("large").with_payload(fixture::payload(&large));
    let with_large = fixture::run("large");
    store
        .bootstrap_run(&BootstrapRequest {
            run: with_large.clone(),
            metadata: fixture::metadata(),
            events: vec![large],
        })
        .await
        .unwrap();

    assert_eq!(relay(bus, &store).await as usize, runs * events + 1);

    let held = bus.held().await;
    let mut inbox = Inbox::default();
    for event in &held {
        assert_eq!(inbox.receive(event), Verdict::Next, "{event:?}");
        let stored = store
            .list_events(&event.run, event.run_seq - 1, 1)
            .await
            .unwrap();
        let stored = &stored.events[0];
        assert_eq!(event.id, stored.event_id(&event.run).to_string());
        assert_eq!(event.data, stored.event.payload().as_str());
    }
    assert_eq!(held.len(), runs * events + 1);
    assert_eq!(store.stats().await.unwrap().pending_events, 0);
}

pub(crate) async fn many_runs_at_once_are_fast(bus: &Bus) {
    let store = filled(200, 50).await;
    let begun = Instant::now();
    assert_eq!(relay(bus, &store).await, 10_000);
    let rate = 10_000.0 / begun.elapsed().as_secs_f64();
    println!("10,000 events of 200 runs, 64 at once: {rate:.0} events/s");
    let mut stream = bus.context.get_stream(&bus.name).await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 10_000);
}
