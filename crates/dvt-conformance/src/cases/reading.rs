//! What reads answer.

use dvt_contracts::{EventType, OutboxStorageExt, ProviderRef, RunKey, RunStatus, StoreError};

use crate::cx::{Cx, request};
use crate::failure::{Failure, check, check_eq};
use crate::fixture::{event, metadata, note, notes, run, seqs};

fn provider_ref(workflow: &str, details: Option<&str>) -> Result<ProviderRef, Failure> {
    ProviderRef::new("temporal", details, workflow, details)
        .map_err(|error| Failure::new(error.to_string()))
}

/// show what one handle on a store wrote to every other handle on it
pub async fn handles_show_the_same_store(cx: &Cx) -> Result<(), Failure> {
    let (second, third) = (cx.reopen().await?, cx.reopen().await?);
    let run = run("a");

    second.bootstrap_run(&request(&run, notes(1, 2))).await?;

    let log = cx.log(&run).await?;
    check_eq!(seqs(&log), [1, 2], "log through the first handle");
    check_eq!(
        third.list_events(&run, 0, 9).await?.events,
        log,
        "log through the third handle"
    );
    check_eq!(
        third.get_run(&run).await?,
        cx.store.get_run(&run).await?,
        "record"
    );
    check_eq!(
        cx.claim_only(&run).await?.events,
        log,
        "claim through the first handle"
    );
    Ok(())
}

/// answer every method that names a run with `RunNotFound` if the run is not there
///
/// CASES: L 101.
pub async fn missing_run_is_not_found(cx: &Cx) -> Result<(), Failure> {
    cx.run_with("a", 1).await?;

    expect_not_found(cx, &run("missing")).await
}

/// Asks everything about a run and expects `RunNotFound` each time.
pub(super) async fn expect_not_found(cx: &Cx, run: &RunKey) -> Result<(), Failure> {
    let store = &cx.store;
    let checkpoint = dvt_contracts::Checkpoint::sealed(0, 1, String::new());
    let answers: [(&str, Result<String, StoreError>); 8] = [
        (
            "append_batch",
            cx.append(run, notes(1, 1))
                .await
                .map(|found| format!("{found:?}")),
        ),
        (
            "get_run",
            store.get_run(run).await.map(|found| format!("{found:?}")),
        ),
        (
            "list_events",
            store
                .list_events(run, 0, 9)
                .await
                .map(|found| format!("{found:?}")),
        ),
        (
            "list_events at the end",
            store
                .list_events(run, 9, 0)
                .await
                .map(|found| format!("{found:?}")),
        ),
        ("save_provider_ref", {
            let provider_ref = provider_ref("w", None)?;
            store
                .save_provider_ref(run, &provider_ref)
                .await
                .map(|()| String::new())
        }),
        (
            "load_checkpoint",
            store
                .load_checkpoint(run)
                .await
                .map(|found| format!("{found:?}")),
        ),
        (
            "save_checkpoint",
            store
                .save_checkpoint(run, &checkpoint)
                .await
                .map(|found| format!("{found:?}")),
        ),
        (
            "prune_run",
            store.prune_run(run).await.map(|found| format!("{found:?}")),
        ),
    ];
    for (method, answer) in answers {
        let found = matches!(&answer, Err(StoreError::RunNotFound { run: of }) if of == run);
        check!(
            found,
            "{method}: expected RunNotFound for {run}, found {answer:?}"
        );
    }
    let note = dvt_contracts::OperatorNote::new("suite", "not there");
    let operators = [
        ("park_run", store.park_run(run, &note).await),
        (
            "retry_dead_letter",
            store.retry_dead_letter(run, 1, &note).await,
        ),
        (
            "skip_dead_letter",
            store.skip_dead_letter(run, 1, &note).await,
        ),
    ];
    for (method, answer) in operators {
        let found = matches!(
            &answer,
            Err(dvt_contracts::OutboxError::RunNotFound { run: of }) if of == run
        );
        check!(
            found,
            "{method}: expected RunNotFound for {run}, found {answer:?}"
        );
    }
    Ok(())
}

/// tell metadata, status, head, cursor and creation time as of now
pub async fn record_tells_the_run_as_it_is(cx: &Cx) -> Result<(), Failure> {
    let before = cx.now("before").await?;
    let run = cx.run("a").await?;
    let after = cx.now("after").await?;
    cx.shift_clock(100).await?;

    let queued = cx.store.get_run(&run).await?;
    cx.append(&run, vec![event(EventType::RunStarted, "k1"), note("k2")])
        .await?;
    let running = cx.store.get_run(&run).await?;
    let claimed = cx.claim_only(&run).await?;
    cx.store.acknowledge(&claimed.lease, 1).await?;
    let delivered = cx.store.get_run(&run).await?;

    check_eq!(
        (running.delivered_seq, delivered.delivered_seq),
        (0, 1),
        "cursor"
    );
    check_eq!(
        (queued.head, queued.status),
        (0, RunStatus::Pending),
        "head and status at first"
    );
    check_eq!(
        (running.head, running.status),
        (2, RunStatus::Running),
        "head and status later"
    );
    check_eq!(
        (&running.run, &running.metadata),
        (&run, &metadata()),
        "run and metadata"
    );
    check_eq!(running.created_at, queued.created_at, "creation time later");
    check_eq!(
        (&running.provider_ref, running.pruned_at),
        (&None, None),
        "what is not set"
    );
    let between = before <= queued.created_at && queued.created_at <= after;
    check!(
        between,
        "created at {}, not between {before} and {after}",
        queued.created_at
    );
    Ok(())
}

/// replace the provider reference and show it in the record
pub async fn provider_ref_is_replaced_and_shown(cx: &Cx) -> Result<(), Failure> {
    let (run, other) = (cx.run("a").await?, cx.run("b").await?);
    let (first, second) = (provider_ref("w1", Some("n|s"))?, provider_ref("w2", None)?);

    cx.store.save_provider_ref(&run, &first).await?;
    let shown_first = cx.store.get_run(&run).await?.provider_ref;
    cx.store.save_provider_ref(&run, &second).await?;
    let shown_second = cx.store.get_run(&run).await?.provider_ref;

    check_eq!(shown_first, Some(first), "first reference");
    check_eq!(shown_second, Some(second), "second reference");
    check_eq!(
        cx.store.get_run(&other).await?.provider_ref,
        None,
        "another run's reference"
    );
    Ok(())
}

/// give exactly the events after `after_seq` in log order, up to the limit
///
/// CASES: B 22.
pub async fn pages_of_events_are_exact(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 5).await?;
    cx.run_with("b", 7).await?;

    for (after, limit, expected) in [
        (0, 2, vec![1, 2]),
        (2, 2, vec![3, 4]),
        (4, 2, vec![5]),
        (3, u32::MAX, vec![4, 5]),
        (0, 5, vec![1, 2, 3, 4, 5]),
        (1, 1, vec![2]),
        (0, 0, vec![]),
    ] {
        let page = cx.store.list_events(&run, after, limit).await?;
        check_eq!(seqs(&page.events), expected, "{limit} after {after}");
        check_eq!(
            (page.head, page.pruned_at),
            (5, None),
            "head and prune time"
        );
    }
    Ok(())
}

/// give an empty page with the head for any `after_seq` at or beyond it
///
/// CASES: B 22.
pub async fn page_beyond_the_head_is_empty(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;

    for after in [
        3,
        4,
        i64::MAX.cast_unsigned(),
        i64::MAX.cast_unsigned() + 1,
        u64::MAX,
    ] {
        let page = cx.store.list_events(&run, after, 9).await?;
        check_eq!(page.events, [], "events after {after}");
        check_eq!(page.head, 3, "head of the page after {after}");
    }
    Ok(())
}
