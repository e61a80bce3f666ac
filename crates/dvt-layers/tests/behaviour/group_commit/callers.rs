//! Order, company, and callers that go away.

use std::sync::Arc;
use std::time::Duration;

use dvt_conformance::fixture::{note, notes, run};
use dvt_contracts::{AppendRequest, MAX_CALL_EVENTS, RunStateStore as _, RunStateStoreExt as _};
use tokio::task::{JoinSet, yield_now};

use super::request;
use crate::check::{Checked, Make, all_told, check, check_eq, polled, settle, told};
use crate::slow::Slow;

/// How many calls of the store at once to try it with.
pub(super) const FLIGHTS: [usize; 2] = [1, 3];

pub(super) async fn what_comes_during_a_call_goes_out_as_one(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a", "b"]).await;
    let layer = make(store.clone(), 1);
    let mut callers = JoinSet::new();
    for number in 0..64 {
        let layer = Arc::clone(&layer);
        let request = request(["a", "b"][number % 2], note(&format!("k{number}")));
        callers.spawn(async move { layer.append_and_enqueue(request).await });
        if number == 0 {
            settle().await;
        }
    }
    settle().await;
    check_eq!(store.calls(), [1], "requests of the calls under way");

    store.open();
    for reply in all_told(&mut callers).await? {
        check_eq!(reply?.events.len(), 1, "events of a reply");
    }

    check_eq!(store.calls(), [1, 63], "requests of the calls");
    let logs = (store.keys("a").await.len(), store.keys("b").await.len());
    check_eq!(logs, (32, 32), "events of the runs");
    Ok(())
}

pub(super) async fn an_idle_store_is_called_at_once(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        store.open();
        let layer = make(store.clone(), flights);
        let begun = tokio::time::Instant::now();
        for number in 1..=3 {
            let event = note(&format!("k{number}"));
            let appended = layer.append_and_enqueue(request("a", event));
            check_eq!(told(appended).await??.head, number, "head");
        }
        check_eq!(begun.elapsed(), Duration::ZERO, "time spent waiting");
        check_eq!(store.calls(), [1, 1, 1], "requests of the calls");
    }
    Ok(())
}

/// Of all sizes, so that the next call may not fit where the one after it does.
pub(super) async fn callers_are_served_in_the_order_in_which_they_came(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a", "b"]).await;
        let layer = make(store.clone(), flights);
        let mut callers = JoinSet::new();
        for number in 0..200 {
            let size = if number < 20 {
                [400, 1, 700, 1, 200][number % 5]
            } else {
                1
            };
            let events = (0..size).map(|event| note(&format!("{number}.{event}")));
            let request = AppendRequest::new(run(["a", "b"][number % 2]), events.collect());
            let layer = Arc::clone(&layer);
            callers.spawn(async move { layer.append_and_enqueue(request).await });
            // Polled once before the next one comes.
            yield_now().await;
        }
        store.open();
        for reply in all_told(&mut callers).await? {
            reply?;
        }

        for (first, run_id) in [(0, "a"), (1, "b")] {
            let mut found = store.keys(run_id).await;
            found.retain(|key| key.ends_with(".0"));
            let numbers = (first..200).step_by(2);
            let expected: Vec<_> = numbers.map(|number| format!("{number}.0")).collect();
            check_eq!(found, expected, "first events of the calls for {run_id}");
        }
    }
    Ok(())
}

/// A call for two runs, of which one is busy, keeps its place for the other one, too.
pub(super) async fn a_call_that_waits_is_not_overtaken(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a", "b", "c"]).await;
    let layer = make(store.clone(), 2);
    let mut callers = JoinSet::new();
    for requests in [
        vec![request("c", note("k"))],
        vec![request("a", note("k"))],
        vec![request("a", note("first")), request("b", note("first"))],
        vec![request("b", note("second"))],
    ] {
        let layer = Arc::clone(&layer);
        callers.spawn(async move { layer.append_batch(&requests).await });
        settle().await;
    }
    // That of the first call: whoever made it looks for the next one.
    store.let_one_through();
    settle().await;
    store.open();
    for replies in all_told(&mut callers).await? {
        replies?;
    }
    check_eq!(store.keys("b").await, ["first", "second"], "log of b");
    Ok(())
}

/// Calls of different sizes, for one run and for two, new events and known ones.
pub(super) async fn every_caller_hears_what_became_of_its_own_requests(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a", "b", "c"]).await;
        let layer = make(store.clone(), flights);
        let mut callers = JoinSet::new();
        for number in 0..60 {
            let layer = Arc::clone(&layer);
            callers.spawn(async move {
                let sent: Vec<_> = (0..=number % 4)
                    .map(|part| {
                        let run_id = ["a", "b", "c"][(number + part) % 3];
                        let key = |more| format!("{number}.{part}.{more}");
                        let events = (0..=number % 2).map(|more| note(&key(more)));
                        AppendRequest::new(run(run_id), events.collect())
                    })
                    .collect();
                let replies = layer.append_batch(&sent).await;
                (sent, replies)
            });
        }
        settle().await;
        store.open();
        for (sent, replies) in all_told(&mut callers).await? {
            let replies = replies?;
            check_eq!(replies.len(), sent.len(), "replies");
            for (request, reply) in sent.into_iter().zip(replies) {
                let appended = reply?.events;
                check!(
                    appended.iter().all(|event| !event.is_duplicate()),
                    "an event was appended twice"
                );
                let told: Vec<_> = appended.into_iter().map(|one| one.stored.event).collect();
                check_eq!(told, request.events, "events of a reply");
            }
        }
    }
    Ok(())
}

pub(super) async fn no_call_is_larger_than_a_store_takes(make: Make) -> Checked {
    for flights in FLIGHTS {
        let store = Slow::new().with_runs(&["a"]).await;
        let layer = make(store.clone(), flights);
        let mut callers = JoinSet::new();
        for number in 0..20 {
            let layer = Arc::clone(&layer);
            let request = AppendRequest::new(run("a"), notes(number * 400, number * 400 + 399));
            callers.spawn(async move { layer.append_and_enqueue(request).await });
        }
        settle().await;
        store.open();
        for reply in all_told(&mut callers).await? {
            reply?;
        }
        let calls = store.calls();
        let largest = calls.iter().max().copied().unwrap_or(0) * 400;
        check!(largest <= MAX_CALL_EVENTS, "a call of {largest} events");
        // Nor were they tried, refused and tried again.
        check_eq!(calls.iter().sum::<usize>(), 20, "requests of all calls");
    }
    Ok(())
}

pub(super) async fn as_many_calls_are_made_at_once_as_may_be(make: Make) -> Checked {
    for flights in [1, 2, 4] {
        let runs = ["a", "b", "c", "d", "e", "f"];
        let store = Slow::new().with_runs(&runs).await;
        let layer = make(store.clone(), flights);
        for round in 0..3 {
            let mut callers = JoinSet::new();
            for run_id in runs {
                let layer = Arc::clone(&layer);
                let request = request(run_id, note(&format!("k{round}")));
                callers.spawn(async move { layer.append_and_enqueue(request).await });
                settle().await;
            }
            check_eq!(
                store.under_way(),
                flights,
                "calls under way in round {round}"
            );
            (0..runs.len()).for_each(|_| store.let_one_through());
            for reply in all_told(&mut callers).await? {
                reply?;
            }
            store.close();
        }
    }
    Ok(())
}

pub(super) async fn calls_at_once_share_what_waits(make: Make) -> Checked {
    let runs: Vec<_> = (0..22).map(|number| format!("run-{number}")).collect();
    let runs: Vec<_> = runs.iter().map(String::as_str).collect();
    let store = Slow::new().with_runs(&runs).await;
    let layer = make(store.clone(), 2);
    let mut callers = JoinSet::new();
    for run_id in &runs {
        let (layer, request) = (Arc::clone(&layer), request(run_id, note("k")));
        callers.spawn(async move { layer.append_and_enqueue(request).await });
        settle().await;
    }
    check_eq!(store.calls(), [1, 1], "requests of the calls under way");
    store.open();
    for reply in all_told(&mut callers).await? {
        reply?;
    }
    let largest = store.calls().into_iter().max();
    check!(
        largest <= Some(12),
        "of 20 requests {largest:?} went into one call of two"
    );
    Ok(())
}

pub(super) async fn a_run_is_in_one_call_at_a_time(make: Make) -> Checked {
    for flights in FLIGHTS {
        let runs = ["a", "b", "c", "d", "e"];
        let store = Slow::new().with_runs(&runs).await;
        let layer = make(store.clone(), flights);
        let mut callers = JoinSet::new();
        let mut events = 0;
        let mut spawned = |requests: Vec<AppendRequest>| {
            events += requests.len();
            let layer = Arc::clone(&layer);
            callers.spawn(async move { layer.append_batch(&requests).await });
        };
        // One call is under way, others wait for its run, and one comes that need not.
        for number in 0..90 {
            let key = |part| note(&format!("{number}.{part}"));
            spawned(vec![
                request(runs[number % 3], key(1)),
                request("a", key(2)),
            ]);
            if number % 7 == 0 {
                settle().await;
                spawned(vec![request(["d", "e"][number % 2], key(3))]);
                settle().await;
            }
            if number % 20 == 19 {
                store.let_one_through();
            }
        }
        settle().await;
        store.open();
        for replies in all_told(&mut callers).await? {
            replies?;
        }
        check!(!store.overlaps(), "two calls for one run were under way");
        let mut logged = 0;
        for run_id in runs {
            logged += store.keys(run_id).await.len();
        }
        check_eq!(logged, events, "events of all runs");
    }
    Ok(())
}

pub(super) async fn a_caller_that_goes_away_takes_nobody_with_it(make: Make) -> Checked {
    for flights in FLIGHTS {
        // Before its request is sent, and after.
        for sent in [false, true] {
            let store = Slow::new().with_runs(&["a"]).await;
            let layer = make(store.clone(), flights);
            let mut callers = JoinSet::new();
            let mut handles = Vec::new();
            for key in ["first", "second", "third", "fourth"] {
                let (layer, event) = (Arc::clone(&layer), note(key));
                handles.push(callers.spawn(async move {
                    let reply = layer.append_and_enqueue(request("a", event)).await;
                    (key, reply)
                }));
                if key == "first" {
                    settle().await;
                }
            }
            settle().await;

            handles[if sent { 0 } else { 2 }].abort();
            settle().await;
            store.open();
            let mut served = Vec::new();
            while let Some(answer) = told(callers.join_next()).await? {
                if let Ok((key, reply)) = answer {
                    reply?;
                    served.push(key);
                }
            }

            // What was sent happens, what was not does not.
            let logged: &[&str] = match sent {
                true => &["first", "second", "third", "fourth"],
                false => &["first", "second", "fourth"],
            };
            check_eq!(store.keys("a").await, logged, "log, sent: {sent}");
            check_eq!(served.len(), 3, "callers that were served, sent: {sent}");
        }
    }
    Ok(())
}

/// Dropped after each number of polls, alone and in company: all of it or nothing, and the layer works on.
pub(super) async fn a_call_may_be_dropped_at_every_await(make: Make) -> Checked {
    for flights in FLIGHTS {
        for polls in 0..20 {
            for company in [false, true] {
                let store = Slow::new().with_runs(&["a", "b"]).await;
                store.open();
                let layer = make(store.clone(), flights);
                let mut others = JoinSet::new();
                if company {
                    for run_id in ["a", "b"] {
                        let layer = Arc::clone(&layer);
                        let request = request(run_id, note("other"));
                        others.spawn(async move { layer.append_and_enqueue(request).await });
                    }
                }
                {
                    let requests = [AppendRequest::new(run("a"), notes(1, 3))];
                    let mut call = layer.append_batch(&requests);
                    for _ in 0..polls {
                        if polled(&mut call).await {
                            break;
                        }
                        yield_now().await;
                    }
                }
                for reply in all_told(&mut others).await? {
                    reply?;
                }
                settle().await;

                let mut found = store.keys("a").await;
                found.retain(|key| key != "other");
                let whole = found.is_empty() || found == ["k1", "k2", "k3"];
                check!(whole, "after {polls} polls there is {found:?}");
                let again = AppendRequest::new(run("a"), notes(1, 3));
                let reply = told(layer.append_and_enqueue(again)).await??;
                check_eq!(
                    reply.head,
                    3 + u64::from(company),
                    "head after {polls} polls"
                );
            }
        }
    }
    Ok(())
}
