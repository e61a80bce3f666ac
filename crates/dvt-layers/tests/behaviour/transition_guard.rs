//! What a `TransitionGuard` refuses, and what it does about other writers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dvt_adapter_memory::MemoryStore;
use dvt_conformance::fixture::{attempt, event, metadata, note, run, step};
use dvt_contracts::{
    AppendError, AppendRequest, BootstrapRequest, ErrorClass, Event, EventType, Expected,
    RunStateStore as _, RunStateStoreExt as _, RunStatus, StoreError,
};
use dvt_layers::TransitionGuard;
use tokio::task::JoinSet;

use crate::slow::{Slow, Verdict};

async fn bootstrap(store: &MemoryStore, run_id: &str) {
    let request = BootstrapRequest {
        run: run(run_id),
        metadata: metadata(),
        events: Vec::new(),
    };
    store.bootstrap_run(&request).await.unwrap();
}

fn of(run_id: &str, events: Vec<Event>) -> AppendRequest {
    AppendRequest::new(run(run_id), events)
}

fn is_illegal(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Append(AppendError::IllegalTransition { .. })
    )
}

#[tokio::test]
async fn illegal_events_are_refused_and_legal_ones_are_not() {
    let memory = MemoryStore::new();
    bootstrap(&memory, "a").await;
    let guard = TransitionGuard::new(memory.clone());
    let legal = [
        event(EventType::RunStarted, "1"),
        step(EventType::StepStarted, "load", "2"),
        step(EventType::StepFailed, "load", "3"),
        step(EventType::StepStarted, "load", "4").with_logical_attempt(attempt(2)),
        step(EventType::StepCompleted, "load", "5").with_logical_attempt(attempt(2)),
        event(EventType::RunCompleted, "6"),
    ];
    for (at, event) in legal.iter().enumerate() {
        let before = step(EventType::StepStarted, "load", "early");
        if at == 0 {
            let refused = guard.append_and_enqueue(of("a", vec![before])).await;
            assert!(is_illegal(&refused.unwrap_err()));
        }
        let outcome = guard.append_and_enqueue(of("a", vec![event.clone()])).await;
        assert_eq!(outcome.unwrap().head, at as u64 + 1);
    }

    let late = step(EventType::StepStarted, "report", "late");
    let refused = guard
        .append_and_enqueue(of("a", vec![late]))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "run tenant/a: StepStarted of step \"report\" is illegal in a run that is Completed: it is legal from Running, Paused"
    );
    assert_eq!(refused.class(), ErrorClass::Caller);
    // What is known is told, legal now or not.
    for event in &legal {
        let again = guard.append_and_enqueue(of("a", vec![event.clone()])).await;
        assert!(again.unwrap().events[0].is_duplicate());
    }
    let all = guard
        .append_and_enqueue(of("a", legal.to_vec()))
        .await
        .unwrap();
    assert!(all.events.iter().all(|event| event.is_duplicate()));
    assert_eq!(memory.get_run(&run("a")).await.unwrap().head, 6);
}

#[tokio::test]
async fn a_request_is_refused_as_a_whole_and_its_neighbours_are_not() {
    let memory = MemoryStore::new();
    bootstrap(&memory, "a").await;
    bootstrap(&memory, "b").await;
    let guard = TransitionGuard::new(memory.clone());
    let requests = [
        of(
            "a",
            vec![
                event(EventType::RunStarted, "1"),
                event(EventType::RunResumed, "2"),
            ],
        ),
        of("b", vec![event(EventType::RunStarted, "1")]),
        of("a", vec![event(EventType::RunStarted, "1"), note("2")]),
    ];

    let replies = guard.append_batch(&requests).await.unwrap();

    assert!(matches!(
        replies[0],
        Err(AppendError::IllegalTransition { .. })
    ));
    assert_eq!(replies[1].as_ref().unwrap().head, 1);
    assert_eq!(replies[2].as_ref().unwrap().head, 2);
}

/// Two guards do not see each other's states. Whoever is later reads on.
#[tokio::test]
async fn another_writer_is_noticed_before_anything_is_written() {
    let memory = MemoryStore::new();
    bootstrap(&memory, "a").await;
    let (one, other) = (
        TransitionGuard::new(memory.clone()),
        TransitionGuard::new(memory.clone()),
    );
    one.append_and_enqueue(of("a", vec![event(EventType::RunStarted, "1")]))
        .await
        .unwrap();
    other
        .append_and_enqueue(of("a", vec![event(EventType::RunPaused, "2")]))
        .await
        .unwrap();

    // By the state that the first one has, this would be illegal, and that legal.
    let resumed = one.append_and_enqueue(of("a", vec![event(EventType::RunResumed, "3")]));
    assert_eq!(resumed.await.unwrap().head, 3);
    let resumed = other.append_and_enqueue(of("a", vec![event(EventType::RunResumed, "4")]));
    assert!(is_illegal(&resumed.await.unwrap_err()));
    // What the caller expects is held, whatever the guard believes.
    let request = of("a", vec![note("5")]);
    let expecting = |head| request.clone().expecting(Expected::At(head));
    let conflict = other.append_and_enqueue(expecting(2)).await.unwrap_err();
    assert!(
        matches!(
            conflict,
            StoreError::Append(AppendError::VersionConflict {
                expected: 2,
                actual: 3,
                ..
            })
        ),
        "{conflict:?}"
    );
    assert_eq!(
        other.append_and_enqueue(expecting(3)).await.unwrap().head,
        4
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_ends_exactly_one_is_written() {
    for round in 0..50 {
        let memory = MemoryStore::new();
        bootstrap(&memory, "a").await;
        let ended = Arc::new(AtomicUsize::new(0));
        let guards: Vec<_> = (0..4)
            .map(|_| Arc::new(TransitionGuard::new(memory.clone())))
            .collect();
        let start = of("a", vec![event(EventType::RunStarted, "start")]);
        guards[0].append_and_enqueue(start).await.unwrap();
        let mut callers = JoinSet::new();
        for number in 0..16 {
            let (guard, ended) = (Arc::clone(&guards[number % 4]), Arc::clone(&ended));
            callers.spawn(async move {
                let kind = [EventType::RunCompleted, EventType::RunCancelled][number % 2].clone();
                let end = of("a", vec![event(kind, &format!("end-{number}"))]);
                match guard.append_and_enqueue(end).await {
                    Ok(_) => {
                        ended.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => assert!(is_illegal(&error), "{error:?}"),
                }
            });
        }
        while let Some(ended) = callers.join_next().await {
            ended.unwrap();
        }

        assert_eq!(ended.load(Ordering::SeqCst), 1, "round {round}");
        let record = memory.get_run(&run("a")).await.unwrap();
        assert_eq!(record.head, 2);
        assert!(record.status.is_terminal());
    }
}

#[tokio::test]
async fn a_guard_that_remembers_one_run_guards_many() {
    let memory = MemoryStore::new();
    let guard = TransitionGuard::with_capacity(memory.clone(), NonZeroUsize::MIN);
    for run_id in ["a", "b", "c"] {
        bootstrap(&memory, run_id).await;
    }
    for kind in [
        EventType::RunStarted,
        EventType::RunPaused,
        EventType::RunResumed,
    ] {
        for run_id in ["a", "b", "c"] {
            let key = kind.to_string();
            let request = of(run_id, vec![event(kind.clone(), &key)]);
            guard.append_and_enqueue(request).await.unwrap();
            let again = of(run_id, vec![event(kind.clone(), "another")]);
            let refused = guard.append_and_enqueue(again).await.unwrap_err();
            assert!(is_illegal(&refused), "{refused:?}");
        }
    }
    let state = guard.load_state(&run("b")).await.unwrap();
    assert_eq!(
        (state.status(), state.anomalies_total()),
        (RunStatus::Running, 0)
    );
}

/// A known event must not make those after it look legal.
#[tokio::test]
async fn what_is_known_already_moves_nothing() {
    let memory = MemoryStore::new();
    bootstrap(&memory, "a").await;
    let writer = TransitionGuard::new(memory.clone());
    for (kind, key) in [
        (EventType::RunStarted, "1"),
        (EventType::RunPaused, "2"),
        (EventType::RunResumed, "3"),
    ] {
        let request = of("a", vec![event(kind, key)]);
        writer.append_and_enqueue(request).await.unwrap();
    }

    for guard in [writer, TransitionGuard::new(memory.clone())] {
        // The pause is that of before, so there is nothing to resume.
        let request = of(
            "a",
            vec![
                event(EventType::RunPaused, "2"),
                event(EventType::RunResumed, "4"),
            ],
        );
        let refused = guard.append_and_enqueue(request).await.unwrap_err();
        assert!(is_illegal(&refused), "{refused:?}");
        // And a pause of its own can follow it.
        let request = of(
            "a",
            vec![
                event(EventType::RunPaused, "2"),
                note("5"),
                event(EventType::RunStarted, "1"),
            ],
        );
        let outcome = guard.append_and_enqueue(request).await.unwrap();
        let is_duplicate: Vec<_> = outcome
            .events
            .iter()
            .map(|event| (event.stored.run_seq, event.is_duplicate()))
            .collect();
        assert_eq!((is_duplicate[0], is_duplicate[2]), ((2, true), (1, true)));
    }
    assert_eq!(memory.get_run(&run("a")).await.unwrap().head, 4);
}

#[tokio::test]
async fn a_call_may_be_dropped_at_every_await() {
    for polls in 0..12 {
        let slow = Slow::new();
        slow.open();
        bootstrap(&slow.memory, "a").await;
        let guard = TransitionGuard::new(slow.clone());
        let events = || {
            vec![
                event(EventType::RunStarted, "1"),
                step(EventType::StepStarted, "s", "2"),
            ]
        };
        {
            let requests = [of("a", events())];
            let mut call = Box::pin(guard.append_batch(&requests));
            for _ in 0..polls {
                let polled = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(call.as_mut().poll(context).is_ready())
                });
                if polled.await {
                    break;
                }
            }
        }

        let head = slow.memory.get_run(&run("a")).await.unwrap().head;
        assert!(head == 0 || head == 2, "{polls}: {head}");
        let again = guard.append_and_enqueue(of("a", events())).await.unwrap();
        assert_eq!(again.head, 2, "{polls}");
        let end = of("a", vec![event(EventType::RunCompleted, "3")]);
        assert_eq!(guard.append_and_enqueue(end).await.unwrap().head, 3);
    }
}

#[tokio::test]
async fn a_call_of_which_a_part_was_done_has_an_unknown_outcome() {
    let slow = Slow::new();
    slow.open();
    bootstrap(&slow.memory, "a").await;
    let guard = TransitionGuard::new(slow.clone());
    slow.set(|requests| {
        let first = requests.iter().flat_map(|request| &request.events).next();
        match first.is_some_and(|event| event.idempotency_key().as_str() == "2") {
            true => Verdict::Fail(ErrorClass::Transient),
            false => Verdict::Do,
        }
    });
    let requests = [
        of("a", vec![event(EventType::RunStarted, "1")]),
        of("a", vec![event(EventType::RunPaused, "2")]),
    ];

    let refused = guard.append_batch(&requests).await.unwrap_err();

    assert_eq!(refused.class(), ErrorClass::Unknown);
    slow.set(|_| Verdict::Do);
    let replies = guard.append_batch(&requests).await.unwrap();
    assert!(replies[0].as_ref().unwrap().events[0].is_duplicate());
    assert_eq!(replies[1].as_ref().unwrap().head, 2);
}

#[tokio::test]
async fn illegal_first_events_make_no_run() {
    let memory = MemoryStore::new();
    let guard = TransitionGuard::new(memory.clone());
    let request = |events| BootstrapRequest {
        run: run("a"),
        metadata: metadata(),
        events,
    };

    let illegal = request(vec![event(EventType::RunResumed, "1")]);
    let refused = guard.bootstrap_run(&illegal).await.unwrap_err();
    assert!(is_illegal(&refused), "{refused:?}");
    assert!(matches!(
        memory.get_run(&run("a")).await,
        Err(StoreError::RunNotFound { .. })
    ));
    let legal = request(vec![event(EventType::RunStarted, "1")]);
    assert!(guard.bootstrap_run(&legal).await.unwrap().created);
}
