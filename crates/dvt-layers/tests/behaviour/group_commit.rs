//! What callers of a `GroupCommit` notice of one another: nothing.

use std::time::Duration;

use dvt_conformance::fixture::{metadata, note, notes, payload, run};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, ErrorClass, Event, InvalidCall, RunKey, RunStateStore as _,
    RunStateStoreExt as _, StoreError,
};
use dvt_layers::GroupCommit;
use tokio::task::{JoinSet, yield_now};

use crate::slow::{Slow, Verdict};

type Layer = GroupCommit<Slow>;

async fn layer(store: Slow, runs: &[&str]) -> Layer {
    for run_id in runs {
        let request = BootstrapRequest {
            run: run(run_id),
            metadata: metadata(),
            events: Vec::new(),
        };
        store.memory.bootstrap_run(&request).await.unwrap();
    }
    GroupCommit::new(store)
}

fn request(run: RunKey, event: Event) -> AppendRequest {
    AppendRequest::new(run, vec![event])
}

/// Lets every task get as far as it can.
async fn settle() {
    for _ in 0..1_000 {
        yield_now().await;
    }
}

async fn keys(layer: &Layer, run_id: &str) -> Vec<String> {
    let page = layer.list_events(&run(run_id), 0, 1_000).await.unwrap();
    let events = page.events.iter();
    events
        .map(|event| event.event.idempotency_key().to_string())
        .collect()
}

#[tokio::test]
async fn what_comes_during_a_call_goes_out_as_one() {
    let slow = Slow::new();
    let layer = layer(slow.clone(), &["a", "b"]).await;
    let mut callers = JoinSet::new();
    for number in 0..64 {
        let (layer, run) = (layer.clone(), run(["a", "b"][number % 2]));
        let event = note(&format!("k{number}"));
        callers.spawn(async move { layer.append_and_enqueue(request(run, event)).await });
        if number == 0 {
            settle().await;
        }
    }
    settle().await;
    assert_eq!(slow.calls(), [1], "the first is under way, and nobody else");

    slow.open();
    while let Some(reply) = callers.join_next().await {
        assert_eq!(reply.unwrap().unwrap().events.len(), 1);
    }

    assert_eq!(slow.calls(), [1, 63]);
    let (a, b) = (keys(&layer, "a").await, keys(&layer, "b").await);
    assert_eq!((a.len(), b.len()), (32, 32));
}

#[tokio::test]
async fn an_idle_store_is_called_at_once() {
    let slow = Slow::new();
    slow.open();
    let layer = layer(slow.clone(), &["a"]).await;

    for number in 1..=3 {
        let outcome = layer
            .append_and_enqueue(request(run("a"), note(&format!("k{number}"))))
            .await;
        assert_eq!(outcome.unwrap().head, number);
    }

    assert_eq!(slow.calls(), [1, 1, 1]);
}

#[tokio::test]
async fn callers_are_served_in_the_order_in_which_they_came() {
    let slow = Slow::new();
    let layer = layer(slow.clone(), &["a"]).await;
    let appends: Vec<_> = (0..200)
        .map(|number| {
            let layer = layer.clone();
            async move {
                let event = note(&format!("k{number}"));
                layer.append_and_enqueue(request(run("a"), event)).await
            }
        })
        .collect();
    let mut callers = JoinSet::new();
    for append in appends {
        callers.spawn(append);
        // Polled once before the next one comes.
        yield_now().await;
    }
    slow.open();
    while let Some(reply) = callers.join_next().await {
        reply.unwrap().unwrap();
    }

    let expected: Vec<_> = (0..200).map(|number| format!("k{number}")).collect();
    assert_eq!(keys(&layer, "a").await, expected);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nobody_with_it() {
    // Before its request is sent, and after.
    for sent in [false, true] {
        let slow = Slow::new();
        let layer = layer(slow.clone(), &["a"]).await;
        let spawned = |key: &str| {
            let (layer, event) = (layer.clone(), note(key));
            tokio::spawn(async move { layer.append_and_enqueue(request(run("a"), event)).await })
        };
        let first = spawned("first");
        settle().await;
        let others = [spawned("second"), spawned("third"), spawned("fourth")];
        settle().await;

        let gone = if sent { &first } else { &others[1] };
        gone.abort();
        settle().await;
        slow.open();
        for (at, caller) in [first].into_iter().chain(others).enumerate() {
            let is_gone = at == if sent { 0 } else { 2 };
            match caller.await {
                Ok(reply) => assert!(reply.is_ok() && !is_gone),
                Err(error) => assert!(error.is_cancelled() && is_gone),
            }
        }

        let expected: &[&str] = match sent {
            true => &["first", "second", "third", "fourth"],
            false => &["first", "second", "fourth"],
        };
        assert_eq!(keys(&layer, "a").await, expected, "sent: {sent}");
    }
}

/// Dropped after each number of polls: all of it or nothing, and the layer works on.
#[tokio::test]
async fn a_call_may_be_dropped_at_every_await() {
    for polls in 0..20 {
        let slow = Slow::new();
        slow.open();
        let layer = layer(slow, &["a"]).await;
        {
            let requests = [AppendRequest::new(run("a"), notes(1, 3))];
            let mut call = Box::pin(layer.append_batch(&requests));
            for _ in 0..polls {
                let polled = futures_poll(&mut call).await;
                if polled {
                    break;
                }
                yield_now().await;
            }
        }
        settle().await;

        let found = keys(&layer, "a").await;
        assert!(found.is_empty() || found.len() == 3, "{polls}: {found:?}");
        let again = layer.append_and_enqueue(AppendRequest::new(run("a"), notes(1, 3)));
        assert_eq!(again.await.unwrap().head, 3, "{polls}");
    }
}

/// Polls a future once. Whether it is complete.
async fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut *future).poll(context);
        std::task::Poll::Ready(polled.is_ready())
    })
    .await
}

#[tokio::test]
async fn a_poisoned_request_fails_alone() {
    for class in [ErrorClass::Transient, ErrorClass::Caller, ErrorClass::Bug] {
        let slow = Slow::new();
        let layer = layer(slow.clone(), &["a"]).await;
        slow.set(move |requests| {
            let mut events = requests.iter().flat_map(|request| &request.events);
            match events.any(|event| event.idempotency_key().as_str() == "k7") {
                true => Verdict::Fail(class),
                false => Verdict::Do,
            }
        });
        let mut callers = JoinSet::new();
        for number in 0..64 {
            let (layer, event) = (layer.clone(), note(&format!("k{number}")));
            callers.spawn(async move {
                let reply = layer.append_and_enqueue(request(run("a"), event)).await;
                (number, reply)
            });
        }
        settle().await;
        slow.open();

        while let Some(ended) = callers.join_next().await {
            let (number, reply) = ended.unwrap();
            match reply {
                Ok(_) => assert_ne!(number, 7, "{class:?}"),
                Err(error) => assert_eq!((number, error.class()), (7, class)),
            }
        }
        assert_eq!(keys(&layer, "a").await.len(), 63, "{class:?}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_told_to_all_whom_it_may_concern_and_is_not_tried_again() {
    let slow = Slow::new();
    let layer = layer(slow.clone(), &["a"]).await;
    slow.set(|_| Verdict::DoAndFail(ErrorClass::Unknown));
    let mut callers = JoinSet::new();
    for number in 0..8 {
        let (layer, event) = (layer.clone(), note(&format!("k{number}")));
        callers.spawn(async move { layer.append_and_enqueue(request(run("a"), event)).await });
    }
    settle().await;
    slow.open();

    while let Some(reply) = callers.join_next().await {
        let error = reply.unwrap().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unknown);
    }
    assert_eq!(slow.calls(), [8]);
    // Repeated with the same keys it is known how it went.
    slow.set(|_| Verdict::Do);
    for number in 0..8 {
        let event = note(&format!("k{number}"));
        let outcome = layer
            .append_and_enqueue(request(run("a"), event))
            .await
            .unwrap();
        assert!(outcome.events[0].is_duplicate());
    }
    assert_eq!(keys(&layer, "a").await.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_not_asked_for_ever() {
    let slow = Slow::new();
    slow.open();
    let layer = layer(slow.clone(), &["a"]).await;
    slow.set(|_| Verdict::FailAfter(Duration::from_secs(10), ErrorClass::Transient));
    let begun = tokio::time::Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..64 {
        let (layer, event) = (layer.clone(), note(&format!("k{number}")));
        callers.spawn(async move { layer.append_and_enqueue(request(run("a"), event)).await });
    }

    while let Some(reply) = callers.join_next().await {
        assert_eq!(reply.unwrap().unwrap_err().class(), ErrorClass::Transient);
    }
    // All of them together, and nobody once more.
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    assert!(keys(&layer, "a").await.is_empty());
}

#[tokio::test]
async fn a_wrong_call_is_refused_before_anybody_waits_for_it() {
    let slow = Slow::new();
    let layer = layer(slow.clone(), &["a"]).await;
    let empty = [AppendRequest::new(run("a"), Vec::new())];

    let refused = layer.append_batch(&empty).await.unwrap_err();
    let nothing = layer.append_batch(&[]).await.unwrap();

    assert!(matches!(
        refused,
        StoreError::Invalid(InvalidCall::EmptyRequest { index: 0 })
    ));
    assert_eq!(nothing.len(), 0);
    assert_eq!(slow.calls(), [0; 0]);
}

#[tokio::test]
async fn more_than_there_is_room_for_waits_outside() {
    let slow = Slow::new();
    let layer = layer(slow.clone(), &["a"]).await;
    // Ten of them are 10 MiB: there is room for six more on top of those in the first call.
    let large = || {
        let text = format!("\"{}\"", "x".repeat(1_048_570));
        let events = (0..10)
            .map(|number| note(&format!("{}-{number}", uuid())).with_payload(payload(&text)));
        AppendRequest::new(run("a"), events.collect())
    };
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (layer, request) = (layer.clone(), large());
        callers.spawn(async move { layer.append_and_enqueue(request).await });
    }
    settle().await;
    let waiting = format!("{layer:?}").matches("AppendRequest {").count();
    assert_eq!(slow.calls(), [1]);
    assert_eq!(waiting, 5, "64 MiB in all, one call of ten under way");

    slow.open();
    while let Some(reply) = callers.join_next().await {
        reply.unwrap().unwrap();
    }
    assert_eq!(layer.get_run(&run("a")).await.unwrap().head, 200);
}

/// A number that no other event has.
fn uuid() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_store_that_panics_is_told_and_the_next_call_is_made() {
    let slow = Slow::new();
    slow.open();
    let layer = layer(slow.clone(), &["a"]).await;
    slow.set(|_| Verdict::Panic);

    let told = layer
        .append_and_enqueue(request(run("a"), note("k1")))
        .await;

    assert_eq!(told.unwrap_err().class(), ErrorClass::Unknown);
    slow.set(|_| Verdict::Do);
    let next = layer
        .append_and_enqueue(request(run("a"), note("k1")))
        .await;
    assert_eq!(next.unwrap().head, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_times_the_same_event_from_many_callers_is_one() {
    let slow = Slow::new();
    slow.open();
    let layer = layer(slow.clone(), &["a"]).await;
    let mut callers = JoinSet::new();
    for _ in 0..32 {
        let layer = layer.clone();
        callers.spawn(async move {
            for _ in 0..312 {
                let requests: Vec<_> = (0..100).map(|_| request(run("a"), note("k"))).collect();
                for reply in layer.append_batch(&requests).await.unwrap() {
                    assert_eq!(reply.unwrap().head, 1);
                }
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }

    assert_eq!(keys(&layer, "a").await, ["k"]);
}
