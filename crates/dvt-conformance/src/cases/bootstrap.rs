//! How runs are made.

use dvt_contracts::{
    BootstrapRequest, Disposition, EventType, RunKey, RunMetadata, RunStatus, StoreError,
};

use crate::cx::{Cx, request};
use crate::failure::{Failure, check, check_eq, check_matches};
use crate::fixture::{event, metadata, metadata_of, note, notes, payload, run, seqs};

async fn expect_refusal(cx: &Cx, request: BootstrapRequest) -> Result<(), Failure> {
    let refused = cx.store.bootstrap_run(&request).await;
    check_matches!(
        refused,
        Err(StoreError::RunAlreadyExists { run: of }) if *of == request.run,
        "reply to {request:?}"
    );
    Ok(())
}

async fn expect_log(cx: &Cx, run: &RunKey, expected: &[u64]) -> Result<(), Failure> {
    check_eq!(seqs(&cx.log(run).await?), expected, "log");
    check_eq!(
        cx.store.get_run(run).await?.metadata,
        metadata(),
        "metadata"
    );
    Ok(())
}

/// store the metadata and the first events, numbered from 1, and reply with both
///
/// CASES: A 12.
pub async fn run_is_made_with_its_first_events(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");
    let events = vec![
        event(EventType::RunQueued, "k1"),
        event(EventType::RunStarted, "k2"),
    ];

    let outcome = cx
        .store
        .bootstrap_run(&request(&run, events.clone()))
        .await?;

    let log = cx.log(&run).await?;
    let record = cx.store.get_run(&run).await?;
    let replied: Vec<_> = outcome
        .events
        .iter()
        .map(|event| event.stored.clone())
        .collect();
    let stored: Vec<_> = log.iter().map(|event| event.event.clone()).collect();
    check!(outcome.created, "expected `created`, found {outcome:?}");
    check!(
        outcome.events.iter().all(|event| !event.is_duplicate()),
        "found {outcome:?}"
    );
    check_eq!(outcome.created_at, record.created_at, "creation time");
    check_eq!(replied, log, "events in the reply against the log");
    check_eq!(stored, events, "events in the log");
    check_eq!(seqs(&log), [1, 2], "numbers");
    check_eq!(record.metadata, metadata(), "metadata");
    check_eq!(
        (record.head, record.status),
        (2, RunStatus::Running),
        "head and status"
    );
    Ok(())
}

/// accept a run without first events, with head 0 and status Pending
pub async fn run_may_begin_without_events(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");

    let outcome = cx.store.bootstrap_run(&request(&run, Vec::new())).await?;

    let record = cx.store.get_run(&run).await?;
    check_eq!(
        (outcome.created, outcome.events),
        (true, Vec::new()),
        "reply"
    );
    check_eq!(
        (record.head, record.status),
        (0, RunStatus::Pending),
        "head and status"
    );
    Ok(())
}

/// answer an equal bootstrap with the same creation time and events, as duplicates, with `created` false
///
/// CASES: A 12.
pub async fn equal_bootstrap_gets_the_same_reply(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");
    let mut events = notes(1, 2);
    events.push(note("k1").with_payload(payload("\"a repeated key\"")));
    let first = cx
        .store
        .bootstrap_run(&request(&run, events.clone()))
        .await?;
    cx.shift_clock(100).await?;

    let again = cx.store.bootstrap_run(&request(&run, events)).await?;

    let stored = |outcome: &dvt_contracts::BootstrapOutcome| -> Vec<_> {
        outcome
            .events
            .iter()
            .map(|event| event.stored.clone())
            .collect()
    };
    let same = |same_content| Disposition::Duplicate { same_content };
    let dispositions: Vec<_> = again.events.iter().map(|event| event.disposition).collect();
    check_eq!(again.created, false, "created");
    check_eq!(again.created_at, first.created_at, "creation time");
    check_eq!(stored(&again), stored(&first), "events");
    check_eq!(
        dispositions,
        [same(true), same(true), same(false)],
        "dispositions"
    );
    expect_log(cx, &run, &[1, 2]).await
}

/// accept an equal bootstrap after the log went on, and change nothing
pub async fn equal_bootstrap_is_accepted_later(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    cx.append(&run, vec![note("x")]).await?;

    let whole = cx.store.bootstrap_run(&request(&run, notes(1, 2))).await?;
    let none = cx.store.bootstrap_run(&request(&run, Vec::new())).await?;
    let appended_since = cx
        .store
        .bootstrap_run(&request(&run, vec![note("x")]))
        .await?;

    let numbers: Vec<_> = [whole, none, appended_since]
        .iter()
        .map(|outcome| {
            outcome
                .events
                .iter()
                .map(|e| e.stored.run_seq)
                .collect::<Vec<_>>()
        })
        .collect();
    check_eq!(
        numbers,
        [vec![1, 2], vec![], vec![3]],
        "numbers in the replies"
    );
    expect_log(cx, &run, &[1, 2, 3]).await
}

/// refuse other metadata for a run that is there with `RunAlreadyExists`, and change nothing
///
/// CASES: A 12.
pub async fn other_metadata_is_refused(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;
    let (usual, other) = (metadata(), metadata_of("other"));
    let variants = [
        RunMetadata {
            project_id: other.project_id,
            ..usual.clone()
        },
        RunMetadata {
            environment_id: other.environment_id,
            ..usual.clone()
        },
        RunMetadata {
            plan_id: other.plan_id,
            ..usual.clone()
        },
        RunMetadata {
            plan_version: other.plan_version,
            ..usual
        },
    ];

    for metadata in variants {
        let events = notes(1, 1);
        expect_refusal(
            cx,
            BootstrapRequest {
                run: run.clone(),
                metadata,
                events,
            },
        )
        .await?;
    }

    expect_log(cx, &run, &[1]).await
}

/// refuse a first event that the run does not have, or has with other content, with `RunAlreadyExists`
///
/// CASES: A 12.
pub async fn other_first_events_are_refused(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    let other = note("k1").with_payload(payload("\"other\""));

    expect_refusal(cx, request(&run, vec![note("k1"), note("unknown")])).await?;
    expect_refusal(cx, request(&run, vec![note("k2"), other])).await?;

    expect_log(cx, &run, &[1, 2]).await
}
