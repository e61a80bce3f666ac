//! What is refused, and what is told of it.

use std::sync::Arc;

use dvt_conformance::fixture::{attempt, event, metadata, note, run, step};
use dvt_contracts::{
    AppendError, BootstrapRequest, ErrorClass, Event, EventType, Expected, RunStateStore as _,
    RunStateStoreExt as _, Store, StoreError,
};

use tokio::task::JoinSet;

use super::{is_illegal, of};
use crate::check::{Checked, Make, all_told, check, check_eq, settle, told};
use crate::slow::Slow;

/// A guard that remembers enough over a store with these runs.
async fn guard(make: Make, run_ids: &[&str]) -> (Slow, Arc<dyn Store>) {
    let store = Slow::new().with_runs(run_ids).await;
    store.open();
    (store.clone(), make(store, 100))
}

/// A run with a step that failed, was done again, and with its end.
fn course() -> Vec<Event> {
    vec![
        event(EventType::RunStarted, "1"),
        step(EventType::StepStarted, "load", "2"),
        step(EventType::StepFailed, "load", "3"),
        step(EventType::StepStarted, "load", "4").with_logical_attempt(attempt(2)),
        step(EventType::StepCompleted, "load", "5").with_logical_attempt(attempt(2)),
        event(EventType::RunCompleted, "6"),
    ]
}

pub(super) async fn illegal_events_are_refused_and_legal_ones_are_not(make: Make) -> Checked {
    let (store, guard) = guard(make, &["a"]).await;
    let early = step(EventType::StepStarted, "load", "early");
    let refused = told(guard.append_and_enqueue(of("a", vec![early]))).await?;
    let fits = refused.as_ref().is_err_and(is_illegal);
    check!(fits, "a step of a run that has not started: {refused:?}");
    for (at, event) in course().into_iter().enumerate() {
        let outcome = told(guard.append_and_enqueue(of("a", vec![event]))).await??;
        check_eq!(outcome.head, at as u64 + 1, "head");
    }

    let late = step(EventType::StepStarted, "report", "late");
    let refused = told(guard.append_and_enqueue(of("a", vec![late]))).await?;

    let refused = refused.map_err(|error| (error.class(), error.to_string()));
    let reason = "run tenant/a: StepStarted of step \"report\" is illegal in a run that is Completed: it is legal from \
                  Running, Paused";
    check_eq!(
        refused.err(),
        Some((ErrorClass::Caller, reason.to_owned())),
        "error"
    );
    check_eq!(store.keys("a").await, ["1", "2", "3", "4", "5", "6"], "log");
    Ok(())
}

pub(super) async fn a_known_event_is_told_legal_now_or_not(make: Make) -> Checked {
    let (store, writer) = guard(make, &["a"]).await;
    told(writer.append_and_enqueue(of("a", course()))).await??;
    // One that has seen them, and one that has not.
    for guard in [writer, make(store.clone(), 100)] {
        for event in course() {
            let again = told(guard.append_and_enqueue(of("a", vec![event]))).await??;
            check!(again.events[0].is_duplicate(), "it was appended twice");
        }
        let all = told(guard.append_and_enqueue(of("a", course()))).await??;
        let known = all.events.iter().filter(|event| event.is_duplicate());
        check_eq!(known.count(), 6, "duplicates");
    }
    Ok(())
}

pub(super) async fn a_request_is_refused_as_a_whole_and_its_neighbours_are_not(
    make: Make,
) -> Checked {
    let (store, guard) = guard(make, &["a", "b"]).await;
    let started = || event(EventType::RunStarted, "1");
    let requests = [
        of(
            "a",
            vec![note("legal"), event(EventType::RunResumed, "illegal")],
        ),
        of("b", vec![started()]),
        of("a", vec![started(), note("2")]),
    ];

    let replies = told(guard.append_batch(&requests)).await??;

    let fits = matches!(replies[0], Err(AppendError::IllegalTransition { .. }));
    check!(fits, "the first was told {:?}", replies[0]);
    let heads: Vec<_> = replies[1..]
        .iter()
        .map(|reply| reply.as_ref().map(|outcome| outcome.head).ok())
        .collect();
    check_eq!(heads, [Some(1), Some(2)], "heads told to the others");
    let logs = (store.keys("a").await, store.keys("b").await);
    let expected = (vec!["1".to_owned(), "2".to_owned()], vec!["1".to_owned()]);
    check_eq!(logs, expected, "logs");
    Ok(())
}

/// A known event must not make those after it look legal.
pub(super) async fn what_is_known_already_moves_nothing(make: Make) -> Checked {
    let (store, writer) = guard(make, &["a"]).await;
    for (kind, key) in [
        (EventType::RunStarted, "1"),
        (EventType::RunPaused, "2"),
        (EventType::RunResumed, "3"),
    ] {
        told(writer.append_and_enqueue(of("a", vec![event(kind, key)]))).await??;
    }

    for guard in [writer, make(store.clone(), 100)] {
        // The pause is that of before, so there is nothing to resume.
        let paused = || event(EventType::RunPaused, "2");
        let request = of("a", vec![paused(), event(EventType::RunResumed, "4")]);
        let refused = told(guard.append_and_enqueue(request)).await?;
        let fits = refused.as_ref().is_err_and(is_illegal);
        check!(fits, "a second end of one pause: {refused:?}");
        // And what is legal may follow it.
        let started = event(EventType::RunStarted, "1");
        let request = of("a", vec![paused(), note("5"), started]);
        let outcome = told(guard.append_and_enqueue(request)).await??;
        let found = outcome
            .events
            .iter()
            .map(|event| (event.stored.run_seq, event.is_duplicate()));
        let found: Vec<_> = found.collect();
        check_eq!(
            (found[0], found[1].0, found[2]),
            ((2, true), 4, (1, true)),
            "reply"
        );
    }
    Ok(())
}

pub(super) async fn what_the_caller_expects_is_held(make: Make) -> Checked {
    let (store, guard) = guard(make, &["a"]).await;
    told(guard.append_and_enqueue(of("a", vec![event(EventType::RunStarted, "1")]))).await??;
    // Others write, too.
    store
        .memory
        .append_and_enqueue(of("a", vec![note("2")]))
        .await?;
    let expecting = |head| of("a", vec![note("3")]).expecting(Expected::At(head));

    for wrong in [0, 1, 3] {
        let refused = told(guard.append_and_enqueue(expecting(wrong))).await?;
        let fits = matches!(
            refused,
            Err(StoreError::Append(AppendError::VersionConflict { expected, actual: 2, .. }))
                if expected == wrong
        );
        check!(fits, "an append at {wrong} was answered with {refused:?}");
    }
    let appended = told(guard.append_and_enqueue(expecting(2))).await??;
    check_eq!(appended.head, 3, "head");
    // A known key is known, whatever is expected.
    let again = told(guard.append_and_enqueue(expecting(0))).await??;
    check!(again.events[0].is_duplicate(), "it was appended twice");
    Ok(())
}

/// Somebody else brings the log to where the caller expects it, after the guard has read it.
pub(super) async fn what_the_caller_expects_may_come_true(make: Make) -> Checked {
    let store = Slow::new().with_runs(&["a"]).await;
    let guard = make(store.clone(), 100);
    let request = of("a", vec![note("mine")]).expecting(Expected::At(1));
    let mut caller = JoinSet::new();
    caller.spawn(async move { guard.append_and_enqueue(request).await });
    settle().await;
    check_eq!(store.under_way(), 1, "appends under way");

    store
        .memory
        .append_and_enqueue(of("a", vec![note("theirs")]))
        .await?;
    store.open();

    check_eq!(all_told(&mut caller).await?.remove(0)?.head, 2, "head");
    Ok(())
}

pub(super) async fn illegal_first_events_make_no_run(make: Make) -> Checked {
    let (_, guard) = guard(make, &[]).await;
    let request = |kind| BootstrapRequest {
        run: run("a"),
        metadata: metadata(),
        events: vec![event(kind, "1")],
    };

    let illegal = request(EventType::RunResumed);
    let refused = told(guard.bootstrap_run(&illegal)).await?;

    let fits = refused.as_ref().is_err_and(is_illegal);
    check!(fits, "an end of no pause: {refused:?}");
    let missing = guard.get_run(&run("a")).await;
    let fits = matches!(missing, Err(StoreError::RunNotFound { .. }));
    check!(fits, "a refused run: {missing:?}");
    let made = told(guard.bootstrap_run(&request(EventType::RunStarted))).await??;
    check!(made.created, "the run was there");
    Ok(())
}
