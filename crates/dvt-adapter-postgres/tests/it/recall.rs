//! A repeated request is recalled as a whole, any other one is looked up key by key: the replies tell each event as it is stored.

use dvt_conformance::fixture::{note, notes, payload, run, step};
use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, Attempt, ConflictPolicy, Disposition,
    Event, EventType, Expected, RunEvent, RunStateStore as _,
};

use crate::ground::Ground;
use crate::server::execute;
use crate::trial::{Outcome, trials};

trials![
    whatever_is_known_is_told_as_it_is_stored,
    requests_for_many_runs_are_recalled_each_on_its_own,
    what_is_new_is_written_by_a_store_that_met_known_keys,
    numbers_far_apart_and_the_last_one_are_nobody_elses_failure,
];

/// Ten events and one more of other kinds in between, so that places and numbers differ.
fn log() -> Vec<Event> {
    let mut log = notes(1, 10);
    log.insert(4, step(EventType::StepStarted, "load", "step"));
    log
}

/// The log with another event in the fourth place.
fn with_fourth(event: Event) -> Vec<Event> {
    let mut events = log();
    events[3] = event;
    events
}

async fn whatever_is_known_is_told_as_it_is_stored() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    ground.append(&run, log()).await?;
    // From now on it looks at once.
    ground.append(&run, notes(1, 1)).await?;
    let elsewhere = Attempt::new(2_u64)?;
    let asked = [
        ("as it was", log()),
        ("the last ones", log().split_off(7)),
        ("one", notes(6, 6)),
        ("with gaps", notes(3, 8)),
        ("backwards", log().into_iter().rev().collect()),
        ("one twice", [notes(1, 3), notes(2, 4)].concat()),
        (
            "by another engine",
            with_fourth(note("k4").with_engine_attempt(elsewhere)),
        ),
        (
            "another payload",
            with_fourth(note("k4").with_payload(payload("4"))),
        ),
        (
            "another payload of the same size",
            with_fourth(note("k4").with_payload(payload("{\"note\": \"k5\"}"))),
        ),
        (
            "another step",
            with_fourth(step(EventType::StepStarted, "load", "k4")),
        ),
        (
            "another attempt",
            with_fourth(note("k4").with_logical_attempt(elsewhere)),
        ),
    ];

    let stored = ground.store.list_events(&run, 0, 100).await?.events;
    let stored_of = |event: &Event| {
        let is_it = |stored: &&RunEvent| stored.event.idempotency_key() == event.idempotency_key();
        stored.iter().find(is_it).cloned().unwrap()
    };

    for (what, events) in asked {
        let known = events.iter().map(|event| {
            let stored = stored_of(event);
            let same_content = event.same_content(&stored.event);
            Appended {
                stored,
                disposition: Disposition::Duplicate { same_content },
            }
        });
        let known = AppendOutcome {
            head: 11,
            events: known.collect(),
        };
        let other = events
            .iter()
            .find(|event| !event.same_content(&stored_of(event).event));
        let refusal = other.map(|event| AppendError::IdempotencyConflict {
            run: run.clone(),
            idempotency_key: event.idempotency_key().clone(),
            stored: Some(Box::new(stored_of(event))),
        });
        for expected in [Expected::Any, Expected::At(3)] {
            let request = AppendRequest::new(run.clone(), events.clone()).expecting(expected);
            let strict = request.clone().on_conflict(ConflictPolicy::Reject);

            let reply = ground.store.append_batch(&[request]).await?;
            let strict = ground.store.append_batch(&[strict]).await?;

            assert_eq!(reply, [Ok(known.clone())], "{what}");
            let refused = refusal.clone().map_or(Ok(known.clone()), Err);
            assert_eq!(strict, [refused], "{what}");
        }
    }
    assert!(ground.log(&run).await.into_iter().eq(1..=11));
    Ok(())
}

async fn requests_for_many_runs_are_recalled_each_on_its_own() -> Outcome {
    let ground = Ground::new().await;
    let mut runs = Vec::new();
    for number in 0..6 {
        runs.push(ground.bootstrap(&format!("run-{number}")).await);
        ground.append(&runs[number], notes(1, number + 1)).await?;
    }
    ground.append(&runs[0], notes(1, 1)).await?;
    // Of run 2 one is missing, of run 4 the events are asked for backwards, and the last run is not there.
    let mut requests: Vec<AppendRequest> = (0..6)
        .map(|number| AppendRequest::new(runs[number].clone(), notes(1, number + 1)))
        .collect();
    requests[2].events.push(note("new"));
    requests[4].events.reverse();
    requests.push(AppendRequest::new(run("nowhere"), notes(1, 2)));

    let mut replies = ground.store.append_batch(&requests).await?;

    assert!(replies.pop().is_some_and(|reply| reply.is_err()));
    for (number, reply) in replies.into_iter().enumerate() {
        let reply = reply?;
        let numbers: Vec<u64> = reply
            .events
            .iter()
            .map(|event| event.stored.run_seq)
            .collect();
        let head = if number == 2 { 4 } else { number as u64 + 1 };
        let expected: Vec<u64> = match number {
            4 => (1..=head).rev().collect(),
            _ => (1..=head).collect(),
        };
        let new = reply.events.iter().filter(|event| !event.is_duplicate());
        assert_eq!((reply.head, numbers), (head, expected), "run {number}");
        assert_eq!(new.count(), usize::from(number == 2), "run {number}");
    }
    Ok(())
}

async fn what_is_new_is_written_by_a_store_that_met_known_keys() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    ground.append(&run, notes(1, 3)).await?;
    ground.append(&run, notes(1, 3)).await?;

    let new = ground.append(&run, notes(4, 6)).await?;
    let partly = ground.append(&run, notes(5, 8)).await?;

    assert_eq!(new.head, 6);
    assert!(new.events.iter().all(|event| !event.is_duplicate()));
    let known: Vec<bool> = partly
        .events
        .iter()
        .map(|event| event.is_duplicate())
        .collect();
    assert_eq!((partly.head, known), (8, vec![true, true, false, false]));
    assert!(ground.log(&run).await.into_iter().eq(1..=8));
    Ok(())
}

/// A head that was moved by hand leaves numbers behind that no log has otherwise.
async fn numbers_far_apart_and_the_last_one_are_nobody_elses_failure() -> Outcome {
    const LAST: u64 = i64::MAX as u64;
    let ground = Ground::new().await;
    let near = ground.bootstrap("a").await;
    let far = ground.bootstrap("far").await;
    let other = ground.bootstrap("other").await;
    let mut connection = ground.connection().await;
    let mut move_to = async |run: &str, head: u64| {
        let moved = format!(
            "UPDATE outbox SET last_seq = {head}, delivered_seq = {head}, due_at = NULL, pending_since = NULL \
             WHERE run_id = '{run}'"
        );
        execute(&mut connection, moved).await;
    };
    ground.append(&far, notes(1, 1)).await?;
    move_to("far", 2).await;
    ground.append(&far, notes(2, 2)).await?;
    move_to("far", 5_000_000_000).await;
    ground.append(&far, notes(3, 4)).await?;
    move_to("far", LAST - 1).await;
    let requests = |first: usize, last: usize| {
        [
            AppendRequest::new(near.clone(), notes(1, 2)),
            AppendRequest::new(far.clone(), notes(first, last)),
            AppendRequest::new(other.clone(), notes(1, 1)),
        ]
    };
    let numbers = |replies: Vec<Result<AppendOutcome, AppendError>>| {
        let told = replies.into_iter().map(|reply| {
            let stored = reply?.events.into_iter().map(|event| event.stored.run_seq);
            Ok::<_, AppendError>(stored.collect::<Vec<u64>>())
        });
        told.collect::<Result<Vec<_>, _>>()
    };

    // The first by the statement that takes keys to be new, the others by the one that looks.
    let new = ground.store.append_batch(&requests(5, 5)).await?;
    assert_eq!(numbers(new)?, [vec![1, 2], vec![LAST], vec![1]]);
    for (first, last, expected) in [
        (1, 2, vec![1, 3]),
        (1, 4, vec![1, 3, 5_000_000_001, 5_000_000_002]),
        (3, 4, vec![5_000_000_001, 5_000_000_002]),
        (4, 5, vec![5_000_000_002, LAST]),
        (5, 5, vec![LAST]),
    ] {
        let known = ground.store.append_batch(&requests(first, last)).await?;
        let expected = [vec![1, 2], expected, vec![1]];
        assert_eq!(numbers(known)?, expected, "{first} to {last}");
    }
    // New beside known.
    let last = ground.bootstrap("last").await;
    move_to("last", LAST - 1).await;
    let known = AppendRequest::new(near.clone(), notes(1, 2));
    let new = AppendRequest::new(last, notes(1, 1));
    let replies = ground.store.append_batch(&[known, new]).await?;
    assert_eq!(numbers(replies)?, [vec![1, 2], vec![LAST]]);
    Ok(())
}
