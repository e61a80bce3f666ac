//! Whose failure is told to whom.

use std::sync::Arc;
use std::time::Duration;

use dvt_conformance::fixture::{note, run};
use dvt_contracts::{
    AppendError, AppendRequest, ErrorClass, Expected, InvalidCall, RunStateStore as _,
    RunStateStoreExt as _, StoreError,
};
use tokio::task::JoinSet;

use super::callers::FLIGHTS;
use super::request;
use crate::check::{Checked, Make, all_told, check, check_eq, settle, told};
use crate::slow::{Slow, Verdict};

const RUNS: [&str; 3] = ["a", "b", "c"];

pub(super) async fn a_poisoned_request_fails_alone(make: Make) -> Checked {
    for flights in FLIGHTS {
        for class in [ErrorClass::Transient, ErrorClass::Caller, ErrorClass::Bug] {
            let store = Slow::new().with_runs(&RUNS).await;
            let layer = make(store.clone(), flights);
            store.set(move |requests| {
                let mut events = requests.iter().flat_map(|request| &request.events);
                match events.any(|event| event.idempotency_key().as_str() == "k7") {
                    true => Verdict::Fail(class),
                    false => Verdict::Do,
                }
            });
            let mut callers = JoinSet::new();
            for number in 0..64 {
                let layer = Arc::clone(&layer);
                let request = request(RUNS[number % 3], note(&format!("k{number}")));
                callers.spawn(async move { (number, layer.append_and_enqueue(request).await) });
            }
            settle().await;
            store.open();

            for (number, reply) in all_told(&mut callers).await? {
                match reply {
                    Ok(_) => check!(number != 7, "the poisoned one was told that it is there"),
                    Err(error) => {
                        check_eq!((number, error.class()), (7, class), "who was told {error}");
                    }
                }
            }
            for (at, run_id) in RUNS.into_iter().enumerate() {
                let numbers = (at..64).step_by(3).filter(|number| *number != 7);
                let expected: Vec<_> = numbers.map(|number| format!("k{number}")).collect();
                check_eq!(store.keys(run_id).await, expected, "log of {run_id}");
            }
        }
    }
    Ok(())
}

/// In a few calls, not in one for each of those who went out with it; and afterwards callers go together as before.
pub(super) async fn the_reason_of_a_failure_is_found_soon(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a"]).await;
    let layer = make(store.clone(), 1);
    for (round, poison) in [(0, true), (1, false)] {
        store.close();
        store.set(move |requests| {
            let mut events = requests.iter().flat_map(|request| &request.events);
            match poison && events.any(|event| event.idempotency_key().as_str() == "0.100") {
                true => Verdict::Fail(ErrorClass::Transient),
                false => Verdict::Do,
            }
        });
        let before = store.calls().len();
        let mut callers = JoinSet::new();
        for number in 0..256 {
            let layer = Arc::clone(&layer);
            let request = request("a", note(&format!("{round}.{number}")));
            callers.spawn(async move { layer.append_and_enqueue(request).await.is_ok() });
        }
        settle().await;
        store.open();
        let answers = all_told(&mut callers).await?;
        let failed = answers.into_iter().filter(|is_ok| !is_ok).count();
        check_eq!(failed, usize::from(poison), "callers that failed");
        let calls = store.calls().len() - before;
        check!(
            calls <= 32,
            "{calls} calls for 256 requests in round {round}"
        );
    }
    Ok(())
}

/// The store refuses one request of a call, and not the call.
pub(super) async fn a_refused_request_fails_alone(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&RUNS).await;
        let layer = make(store.clone(), flights);
        let mut callers = JoinSet::new();
        for number in 0..30 {
            let layer = Arc::clone(&layer);
            let event = note(&format!("k{number}"));
            let request = match number % 10 {
                3 => request("nowhere", event),
                6 => request("a", event).expecting(Expected::At(1_000)),
                _ => request(RUNS[number % 3], event),
            };
            callers.spawn(async move { (number, layer.append_batch(&[request]).await) });
        }
        settle().await;
        store.open();

        for (number, replies) in all_told(&mut callers).await? {
            let replies = replies?;
            check_eq!(replies.len(), 1, "replies");
            let fits = match (number % 10, &replies[0]) {
                (3, reply) => matches!(reply, Err(AppendError::RunNotFound { .. })),
                (6, reply) => matches!(reply, Err(AppendError::VersionConflict { .. })),
                (_, reply) => reply.is_ok(),
            };
            check!(fits, "caller {number} was told {replies:?}");
        }
    }
    Ok(())
}

pub(super) async fn an_unknown_outcome_is_told_to_all_and_is_not_tried_again(
    make: Make,
) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        let layer = make(store.clone(), flights);
        store.set(|_| Verdict::DoAndFail(ErrorClass::Unknown));
        let append = |number: usize| {
            let layer = Arc::clone(&layer);
            let request = request("a", note(&format!("k{number}")));
            async move { layer.append_and_enqueue(request).await }
        };
        let mut callers = JoinSet::new();
        (0..8).for_each(|number| {
            callers.spawn(append(number));
        });
        settle().await;
        store.open();

        for reply in all_told(&mut callers).await? {
            let class = reply.err().map(|error| error.class());
            check_eq!(class, Some(ErrorClass::Unknown), "class of the error");
        }
        let sent: usize = store.calls().iter().sum();
        check_eq!(sent, 8, "requests that were sent");
        // Repeated with the same keys it is known how it went.
        store.set(|_| Verdict::Do);
        for number in 0..8 {
            let outcome = told(append(number)).await??;
            check!(outcome.events[0].is_duplicate(), "k{number} was not there");
        }
        check_eq!(store.keys("a").await.len(), 8, "events");
    }
    Ok(())
}

pub(super) async fn a_store_that_is_away_is_not_asked_for_ever(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        store.open();
        let layer = make(store.clone(), flights);
        store.set(|_| Verdict::FailAfter(Duration::from_secs(10), ErrorClass::Transient));
        let begun = tokio::time::Instant::now();
        let mut callers = JoinSet::new();
        for number in 0..64 {
            let layer = Arc::clone(&layer);
            let request = request("a", note(&format!("k{number}")));
            callers.spawn(async move { layer.append_and_enqueue(request).await });
        }

        for reply in all_told(&mut callers).await? {
            let class = reply.err().map(|error| error.class());
            check_eq!(class, Some(ErrorClass::Transient), "class of the error");
        }
        // All of them together, and nobody once more.
        check_eq!(begun.elapsed(), Duration::from_secs(10), "time spent");
        check!(store.keys("a").await.is_empty(), "something was written");
    }
    Ok(())
}

pub(super) async fn a_wrong_call_is_refused_before_anybody_waits_for_it(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        let layer = make(store.clone(), flights);
        let empty = [AppendRequest::new(run("a"), Vec::new())];

        // The store takes nothing yet, and is not asked.
        let refused = told(layer.append_batch(&empty)).await?;
        let nothing = told(layer.append_batch(&[])).await??;

        let fits = matches!(
            refused,
            Err(StoreError::Invalid(InvalidCall::EmptyRequest { index: 0 }))
        );
        check!(fits, "an empty request was answered with {refused:?}");
        check_eq!(nothing.len(), 0, "replies to no requests");
        check_eq!(store.calls(), [0; 0], "calls of the store");
    }
    Ok(())
}

pub(super) async fn a_store_that_panics_is_told_and_the_next_call_is_made(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        store.open();
        let layer = make(store.clone(), flights);
        store.set(|_| Verdict::Panic);

        let caller = Arc::clone(&layer);
        let broken = tokio::spawn(async move {
            let request = request("a", note("k1"));
            told(caller.append_and_enqueue(request)).await
        });
        let broken = broken.await??;

        let class = broken.err().map(|error| error.class());
        check_eq!(class, Some(ErrorClass::Unknown), "class of the error");
        store.set(|_| Verdict::Do);
        let next = told(layer.append_and_enqueue(request("a", note("k1")))).await??;
        check_eq!(next.head, 1, "head");
    }
    Ok(())
}
