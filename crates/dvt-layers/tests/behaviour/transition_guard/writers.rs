//! Other writers, other callers, and a store that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dvt_conformance::fixture::{event, note, notes, run, step};
use dvt_contracts::{
    ErrorClass, EventType, MAX_CALL_EVENTS, RunStateStore as _, RunStateStoreExt as _, RunStatus,
};
use tokio::task::JoinSet;

use super::{is_illegal, of};
use crate::check::{Checked, Failure, Make, all_told, check, check_eq, polled, settle, told};
use crate::slow::{Slow, Verdict};

/// Two guards do not see each other's states. Whoever is later reads on.
pub(super) async fn another_writer_is_noticed_before_anything_is_written(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a"]).await;
    store.open();
    let (one, other) = (make(store.clone(), 100), make(store.clone(), 100));
    let request = |kind, key| of("a", vec![event(kind, key)]);
    told(one.append_and_enqueue(request(EventType::RunStarted, "1"))).await??;
    told(other.append_and_enqueue(request(EventType::RunPaused, "2"))).await??;

    // By the state that the first one has, this would be illegal, and that legal.
    let resumed = told(one.append_and_enqueue(request(EventType::RunResumed, "3"))).await??;
    check_eq!(resumed.head, 3, "head");
    let resumed = told(other.append_and_enqueue(request(EventType::RunResumed, "4"))).await?;
    let fits = resumed.as_ref().is_err_and(is_illegal);
    check!(fits, "a second end of one pause: {resumed:?}");
    check_eq!(store.keys("a").await, ["1", "2", "3"], "log");
    Ok(())
}

/// After a request was judged, and before it is written.
pub(super) async fn a_writer_that_comes_in_between_is_noticed(make: Make) -> Checked {
    for (between, is_legal) in [
        (EventType::RunCancelled, false),
        (EventType::RunPaused, true),
    ] {
        let store = Slow::new().with_runs(&["a"]).await;
        let started = of("a", vec![event(EventType::RunStarted, "1")]);
        store.memory.append_and_enqueue(started).await?;
        let guard = make(store.clone(), 100);
        let request = of("a", vec![step(EventType::StepStarted, "load", "3")]);
        let mut caller = JoinSet::new();
        caller.spawn(async move { guard.append_and_enqueue(request).await });
        settle().await;
        check_eq!(store.under_way(), 1, "appends under way");

        let other = of("a", vec![event(between.clone(), "2")]);
        store.memory.append_and_enqueue(other).await?;
        store.open();
        let reply = all_told(&mut caller).await?.remove(0);

        match is_legal {
            true => check_eq!(reply?.head, 3, "head after {between}"),
            false => {
                let fits = reply.as_ref().is_err_and(is_illegal);
                check!(fits, "a step after {between}: {reply:?}");
                check_eq!(store.keys("a").await, ["1", "2"], "log");
            }
        }
    }
    Ok(())
}

/// An event that somebody else has written meanwhile must not count as one of the request's own.
pub(super) async fn what_others_wrote_in_between_moves_nothing(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a"]).await;
    let (paused, resumed) = (
        || event(EventType::RunPaused, "2"),
        |key| event(EventType::RunResumed, key),
    );
    let started = || event(EventType::RunStarted, "1");
    store
        .memory
        .append_and_enqueue(of("a", vec![started()]))
        .await?;
    let guard = make(store.clone(), 100);
    let request = of("a", vec![started(), paused(), resumed("mine")]);
    let mut caller = JoinSet::new();
    caller.spawn(async move { guard.append_and_enqueue(request).await });
    settle().await;
    // The guard asks which keys are known.
    store.let_one_through();
    settle().await;
    check_eq!(store.under_way(), 1, "appends under way");

    let other = of("a", vec![paused(), resumed("theirs")]);
    store.memory.append_and_enqueue(other).await?;
    store.open();
    let reply = all_told(&mut caller).await?.remove(0);

    let fits = reply.as_ref().is_err_and(is_illegal);
    check!(fits, "a second end of one pause: {reply:?}");
    check_eq!(store.keys("a").await, ["1", "2", "theirs"], "log");
    Ok(())
}

pub(super) async fn a_run_that_others_change_all_the_time_is_given_up_for_now(
    make: Make,
) -> Checked {
    let store = Slow::new().with_runs(&["a"]).await;
    store.open();
    let guard = make(store.clone(), 100);
    let others = AtomicU32::new(0);
    store.set(move |_| {
        let number = others.fetch_add(1, Ordering::SeqCst);
        Verdict::DoAfter(note(&format!("other-{number}")))
    });
    let started = || of("a", vec![event(EventType::RunStarted, "mine")]);

    let reply = told(guard.append_and_enqueue(started())).await?;

    let class = reply.err().map(|error| error.class());
    check_eq!(class, Some(ErrorClass::Transient), "class of the error");
    let attempts = store.calls().len();
    check!((10..100).contains(&attempts), "{attempts} attempts");
    let log = store.keys("a").await;
    check_eq!(log.len(), attempts, "events of the others");
    // And later it succeeds.
    store.set(|_| Verdict::Do);
    let reply = told(guard.append_and_enqueue(started())).await??;
    check_eq!(reply.head, attempts as u64 + 1, "head");
    Ok(())
}

/// So nobody reads and judges in vain, and at most one append of a run is on its way.
pub(super) async fn callers_of_one_run_wait_for_each_other_and_others_do_not(
    make: Make,
) -> Checked {
    let store = Slow::new().with_runs(&["a", "b"]).await;
    let guard = make(store.clone(), 100);
    let mut callers = JoinSet::new();
    for (run_id, key) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1")] {
        let (guard, request) = (Arc::clone(&guard), of(run_id, vec![note(key)]));
        callers.spawn(async move { guard.append_and_enqueue(request).await });
        settle().await;
    }
    check_eq!(store.under_way(), 2, "appends under way");
    check!(!store.overlaps(), "two appends to one run were under way");
    store.open();
    for reply in all_told(&mut callers).await? {
        reply?;
    }
    check_eq!(store.keys("a").await, ["1", "2", "3"], "log");
    check_eq!(store.calls().len(), 4, "calls of the store");
    Ok(())
}

pub(super) async fn a_known_run_is_not_read_again(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a"]).await;
    store.open();
    let guard = make(store.clone(), 100);
    told(guard.append_and_enqueue(of("a", vec![event(EventType::RunStarted, "1")]))).await??;
    let pages = store.pages();
    for key in ["2", "3", "4"] {
        told(guard.append_and_enqueue(of("a", vec![note(key)]))).await??;
    }
    check_eq!(store.pages(), pages, "pages that were read");
    Ok(())
}

pub(super) async fn no_more_runs_are_remembered_than_may_be(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a", "b", "c"]).await;
    store.open();
    let guard = make(store.clone(), 2);
    let kinds = [
        EventType::RunStarted,
        EventType::RunPaused,
        EventType::RunResumed,
    ];
    for (round, kind) in kinds.into_iter().enumerate() {
        for run_id in ["a", "b", "c"] {
            let pages = store.pages();
            let request = of(run_id, vec![event(kind.clone(), &kind.to_string())]);
            told(guard.append_and_enqueue(request)).await??;
            // Two others have been there since.
            check!(
                store.pages() > pages,
                "{run_id} was remembered in round {round}"
            );
            let request = of(run_id, vec![event(kind.clone(), "another")]);
            let refused = told(guard.append_and_enqueue(request)).await?;
            let fits = refused.as_ref().is_err_and(is_illegal);
            check!(fits, "a second {kind}: {refused:?}");
        }
    }
    let state = guard.read_state(&run("b")).await?;
    let found = (state.status(), state.anomalies_total());
    check_eq!(found, (RunStatus::Running, 0), "status and anomalies");
    Ok(())
}

/// A store with a run of 11,000 events.
async fn long_run() -> Result<Slow, Failure> {
    let store = Slow::new().with_runs(&["a"]).await;
    store.open();
    for call in 0..11 {
        let events = notes(call * MAX_CALL_EVENTS + 1, (call + 1) * MAX_CALL_EVENTS);
        store.memory.append_and_enqueue(of("a", events)).await?;
    }
    Ok(store)
}

/// Not even where the state of a long run is read.
pub(super) async fn no_append_saves_a_checkpoint(make: Make) -> Checked {
    let store = long_run().await?;
    let guard = make(store.clone(), 100);

    told(guard.append_and_enqueue(of("a", vec![event(EventType::RunStarted, "start")]))).await??;
    let resumed = of("a", vec![event(EventType::RunResumed, "resume")]);
    let refused = told(guard.append_and_enqueue(resumed)).await?;

    check!(refused.as_ref().is_err_and(is_illegal), "{refused:?}");
    check_eq!(store.saves(), 0, "checkpoints that were saved");
    Ok(())
}

pub(super) async fn a_long_run_is_read_from_its_checkpoint(make: Make) -> Checked {
    let store = long_run().await?;
    store.memory.load_state(&run("a")).await?;
    let guard = make(store.clone(), 100);

    let started = of("a", vec![event(EventType::RunStarted, "start"), note("k1")]);
    let outcome = told(guard.append_and_enqueue(started)).await??;

    let found: Vec<_> = outcome
        .events
        .iter()
        .map(|event| event.is_duplicate())
        .collect();
    check_eq!((outcome.head, found), (11_001, vec![false, true]), "reply");
    let pages = store.pages();
    check!(pages <= 3, "{pages} pages were read");
    Ok(())
}

/// Alone, and while another caller waits for the same run.
pub(super) async fn a_call_may_be_dropped_at_every_await(make: Make) -> Checked {
    for polls in 0..12 {
        for company in [false, true] {
            let store = Slow::new().with_runs(&["a"]).await;
            store.open();
            let guard = make(store.clone(), 100);
            let events = || {
                vec![
                    event(EventType::RunStarted, "1"),
                    step(EventType::StepStarted, "s", "2"),
                ]
            };
            let mut others = JoinSet::new();
            {
                let requests = [of("a", events())];
                let mut call = guard.append_batch(&requests);
                for poll in 0..polls {
                    if polled(&mut call).await {
                        break;
                    }
                    if company && poll == 0 {
                        let guard = Arc::clone(&guard);
                        let request = of("a", vec![note("other")]);
                        others.spawn(async move { guard.append_and_enqueue(request).await });
                        settle().await;
                    }
                }
            }
            for reply in all_told(&mut others).await? {
                reply?;
            }

            let mut found = store.keys("a").await;
            found.retain(|key| key != "other");
            let whole = found.is_empty() || found == ["1", "2"];
            check!(whole, "after {polls} polls there is {found:?}");
            told(guard.append_and_enqueue(of("a", events()))).await??;
            let end = of("a", vec![event(EventType::RunCompleted, "3")]);
            told(guard.append_and_enqueue(end)).await??;
            found = store.keys("a").await;
            found.retain(|key| key != "other");
            check_eq!(found, ["1", "2", "3"], "log");
        }
    }
    Ok(())
}

pub(super) async fn a_poisoned_request_fails_alone(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a", "b", "c"]).await;
    store.open();
    store.set(
        |requests| match requests.iter().any(|request| request.run == run("b")) {
            true => Verdict::Fail(ErrorClass::Transient),
            false => Verdict::Do,
        },
    );
    let guard = make(store.clone(), 100);
    let mut callers = JoinSet::new();
    for number in 0..30 {
        let run_id = ["a", "b", "c"][number % 3];
        let (guard, request) = (
            Arc::clone(&guard),
            of(run_id, vec![note(&number.to_string())]),
        );
        callers.spawn(async move { (run_id, guard.append_and_enqueue(request).await) });
    }

    for (run_id, reply) in all_told(&mut callers).await? {
        let class = reply.err().map(|error| error.class());
        let expected = (run_id == "b").then_some(ErrorClass::Transient);
        check_eq!(class, expected, "what the callers of {run_id} were told");
    }
    // What failed has left nothing in what the guard knows.
    store.set(|_| Verdict::Do);
    let started = of("b", vec![event(EventType::RunStarted, "start")]);
    check_eq!(
        told(guard.append_and_enqueue(started)).await??.head,
        1,
        "head"
    );
    Ok(())
}

pub(super) async fn a_call_of_which_a_part_was_done_has_an_unknown_outcome(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a"]).await;
    store.open();
    let guard = make(store.clone(), 100);
    store.set(|requests| {
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

    let reply = told(guard.append_batch(&requests)).await?;

    let class = reply.err().map(|error| error.class());
    check_eq!(class, Some(ErrorClass::Unknown), "class of the error");
    store.set(|_| Verdict::Do);
    let replies = told(guard.append_batch(&requests)).await??;
    let known: Vec<_> = replies
        .into_iter()
        .map(|reply| Ok(reply?.events[0].is_duplicate()))
        .collect::<Result<_, Failure>>()?;
    check_eq!(known, [true, false], "duplicates");
    Ok(())
}
