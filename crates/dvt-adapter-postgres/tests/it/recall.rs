//! A store that has met known keys recalls whole requests; what it replies is what one replies that looks for each key.

use dvt_conformance::fixture::{note, notes, payload, run, step};
use dvt_contracts::{
    AppendRequest, Attempt, ConflictPolicy, Event, EventType, Expected, RunStateStore as _,
};

use crate::ground::Ground;
use crate::stage::open;
use crate::trial::{Outcome, trials};

trials![
    a_store_that_recalls_replies_as_one_that_looks,
    requests_for_many_runs_are_recalled_each_on_its_own,
    what_is_new_is_written_by_a_store_that_recalls,
];

/// Ten events and one more of other kinds in between, so that places and numbers differ.
fn log() -> Vec<Event> {
    let mut log = notes(1, 10);
    log.insert(4, step(EventType::StepStarted, "load", "step"));
    log
}

fn reversed(mut events: Vec<Event>) -> Vec<Event> {
    events.reverse();
    events
}

/// The log with another event in the fourth place.
fn with_fourth(event: Event) -> Vec<Event> {
    let mut events = log();
    events[3] = event;
    events
}

async fn a_store_that_recalls_replies_as_one_that_looks() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    ground.append(&run, log()).await?;
    // From now on it recalls.
    ground.append(&run, notes(1, 1)).await?;
    let elsewhere = Attempt::new(2_u64)?;
    let asked = [
        ("as it was", log()),
        ("the last ones", log().split_off(7)),
        ("one", notes(6, 6)),
        ("with gaps", notes(3, 8)),
        ("backwards", reversed(log())),
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
            "another step",
            with_fourth(step(EventType::StepStarted, "load", "k4")),
        ),
        (
            "another attempt",
            with_fourth(note("k4").with_logical_attempt(elsewhere)),
        ),
    ];

    for (what, events) in asked {
        for policy in [ConflictPolicy::FirstWins, ConflictPolicy::Reject] {
            for expected in [Expected::Any, Expected::At(3)] {
                let request = AppendRequest::new(run.clone(), events.clone())
                    .on_conflict(policy)
                    .expecting(expected);

                let requests = [request];
                let recalls = ground.store.append_batch(&requests).await?;

                let looks = open(ground.schema.settings()).await;
                assert_eq!(recalls, looks.append_batch(&requests).await?, "{what}");
            }
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

async fn what_is_new_is_written_by_a_store_that_recalls() -> Outcome {
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
