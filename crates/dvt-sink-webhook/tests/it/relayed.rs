//! Through the real relay.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dvt_adapter_memory::MemoryStore;
use dvt_cloudevents::{Inbox, Verdict};
use dvt_conformance::fixture;
use dvt_contracts::{
    BootstrapRequest, DeadLetterQuery, OutboxStorage as _, RetryPolicy, RunKey, RunStateStore as _,
};
use dvt_relay::{Relay, RelayError, RelayMode, RelayReport, RelaySettings};
use dvt_sink_webhook::{Secrets, WebhookSink};

use crate::receiver::{Receiver, Reply, Request};
use crate::requests::received;
use crate::stage::settings;
use crate::trial::{Outcome, trials};

trials![
    everything_arrives_once_and_in_order,
    lost_answers_repeat_events_but_never_reorder_them,
    one_event_that_is_refused_parks_its_run_alone,
    an_outage_charges_nobody,
];

const RUNS: usize = 50;
const EVENTS: usize = 40;
const ATTEMPTS: u32 = 5;
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

/// One relay, until nothing is due; it does not wait for runs that back off.
async fn relay(store: &MemoryStore, receiver: &Receiver) -> Result<RelayReport, RelayError> {
    let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let settings = settings(receiver)
        .with_secrets(secrets)
        .with_deadline(Duration::from_secs(8))
        .unwrap();
    let destination = settings.destination();
    let sink = WebhookSink::connect(settings).await.unwrap();
    let (attempts, pause) = (ATTEMPTS.try_into().unwrap(), Duration::from_millis(1));
    let settings = RelaySettings {
        retry: RetryPolicy::new(attempts, pause, pause).unwrap(),
        probe_interval: Duration::from_millis(100),
        ..RelaySettings::new(destination)
    };
    let relay = Relay::new(Arc::new(store.clone()), Arc::new(sink), settings).unwrap();
    relay
        .run(RelayMode::UntilEmpty, std::future::pending())
        .await
}

/// Relays, one after another, until only parked runs are left: events delivered, attempts charged.
async fn relay_all(store: &MemoryStore, receiver: &Receiver) -> (u64, u64) {
    let (mut delivered, mut charged) = (0, 0);
    loop {
        let report = relay(store, receiver).await.unwrap();
        delivered += report.delivered;
        charged += report.charged;
        let stats = store.stats().await.unwrap();
        if stats.due_runs + stats.leased_runs + stats.backing_off_runs == 0 {
            return (delivered, charged);
        }
    }
}

/// What arrived, per run, without what had arrived before.
fn firsts(requests: &[Request]) -> HashMap<RunKey, Vec<dvt_cloudevents::Received>> {
    let mut inbox = Inbox::default();
    let mut firsts: HashMap<_, Vec<_>> = HashMap::new();
    for request in requests {
        let received = received(request);
        assert_eq!(request.headers["webhook-id"], received.id);
        match inbox.receive(&received) {
            Verdict::Next => firsts
                .entry(received.run.clone())
                .or_default()
                .push(received),
            Verdict::Duplicate => {}
            other => panic!("{other:?}: {} {}", received.run, received.run_seq),
        }
    }
    firsts
}

/// That each run arrived whole, in order, as it is in the store.
async fn assert_complete(
    store: &MemoryStore,
    receiver: &Receiver,
    runs: impl Iterator<Item = usize>,
) {
    let firsts = firsts(&receiver.requests());
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
}

async fn everything_arrives_once_and_in_order() -> Outcome {
    let receiver = Receiver::willing().await;
    let store = recorded(RUNS, EVENTS).await;

    let report = relay(&store, &receiver).await?;

    assert_eq!(
        (report.delivered, report.charged),
        ((RUNS * EVENTS) as u64, 0)
    );
    assert_eq!(receiver.requests().len(), RUNS * EVENTS);
    assert_complete(&store, &receiver, 0..RUNS).await;
    assert_eq!(store.stats().await?.pending_events, 0);
    Ok(())
}

async fn lost_answers_repeat_events_but_never_reorder_them() -> Outcome {
    let arrived = Mutex::new(HashMap::<String, usize>::new());
    // The answers to two arrivals of every seventh event are lost.
    let receiver = Receiver::start(move |_, request| {
        let event = received(request);
        let mut arrived = arrived.lock().unwrap();
        let times = arrived.entry(event.id).or_default();
        *times += 1;
        if event.run_seq.is_multiple_of(7) && *times <= 2 {
            return Reply::hang_up();
        }
        Reply::ok()
    })
    .await;
    let store = recorded(20, EVENTS).await;

    let (delivered, _) = relay_all(&store, &receiver).await;

    assert_eq!(delivered, 20 * EVENTS as u64);
    assert_eq!(receiver.requests().len(), 20 * (EVENTS + 2 * (EVENTS / 7)));
    assert_complete(&store, &receiver, 0..20).await;
    Ok(())
}

async fn one_event_that_is_refused_parks_its_run_alone() -> Outcome {
    let receiver = Receiver::start(|_, request| {
        let received = received(request);
        if received.run == run(7) && received.run_seq == 4 {
            return Reply::status(404, "", "no such thing");
        }
        Reply::ok()
    })
    .await;
    let store = recorded(20, EVENTS).await;

    let done = relay_all(&store, &receiver).await;

    assert_eq!(done, (19 * EVENTS as u64 + 3, ATTEMPTS.into()));
    assert_complete(&store, &receiver, (0..20).filter(|number| *number != 7)).await;
    let letters = store.list_dead_letters(&DeadLetterQuery::default()).await?;
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert_eq!(
        (&letter.run, letter.run_seq, letter.attempts),
        (&run(7), 4, ATTEMPTS)
    );
    assert_eq!(
        letter.error.as_str(),
        "the receiver says 404 Not Found: no such thing"
    );
    Ok(())
}

async fn an_outage_charges_nobody() -> Outcome {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = is_down.clone();
    let receiver = Receiver::start(move |_, _| match down.load(Ordering::SeqCst) {
        true => Reply::status(503, "retry-after: 0\r\n", ""),
        false => Reply::ok(),
    })
    .await;
    let store = recorded(20, EVENTS).await;

    // It gives up when the receiver is down; so it is started again, more often than an event has attempts.
    for _ in 0..2 * ATTEMPTS {
        match relay(&store, &receiver).await {
            Err(RelayError::SinkDown { reason }) => {
                assert_eq!(reason.as_str(), "the receiver says 503 Service Unavailable");
            }
            other => panic!("{other:?}"),
        }
    }
    let refused = receiver.requests().len();
    is_down.store(false, Ordering::SeqCst);
    let report = relay(&store, &receiver).await?;

    assert_eq!((report.delivered, report.charged), (20 * EVENTS as u64, 0));
    let taken = receiver.requests().split_off(refused);
    assert_eq!(taken.len(), 20 * EVENTS);
    assert!(firsts(&taken).values().all(|events| events.len() == EVENTS));
    Ok(())
}
