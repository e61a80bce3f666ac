//! What is left of a run that was pruned.

use dvt_contracts::{
    AppendError, AppendRequest, Checkpoint, EventType, FOLD_VERSION, OutboxStorageExt, ProviderRef,
    PruneOutcome, RunKey, RunQuery, RunStatus, StoreError,
};

use crate::cx::{Cx, request};
use crate::failure::{Failure, check, check_eq, check_matches};
use crate::fixture::{by_ann, event, note, run, seqs};

/// A run that ended with three events, all delivered.
async fn ended(cx: &Cx) -> Result<RunKey, Failure> {
    let run = run("a");
    let (start, end) = (
        event(EventType::RunStarted, "k1"),
        event(EventType::RunCompleted, "k3"),
    );
    cx.bootstrap(&run, vec![start, note("k2"), end]).await?;
    deliver(cx, &run).await?;
    Ok(run)
}

async fn deliver(cx: &Cx, run: &RunKey) -> Result<(), Failure> {
    let claimed = cx.claim_only(run).await?;
    let through = claimed.events.last().map_or(0, |event| event.run_seq);
    Ok(cx.store.acknowledge(&claimed.lease, through).await?)
}

async fn pruned(cx: &Cx) -> Result<(RunKey, PruneOutcome), Failure> {
    let run = ended(cx).await?;
    let outcome = cx.store.prune_run(&run).await?;
    Ok((run, outcome))
}

/// remove the events and the checkpoint, and keep metadata, status, head and the time of the prune
pub async fn tombstone_is_left(cx: &Cx) -> Result<(), Failure> {
    let run = ended(cx).await?;
    let before = cx.store.get_run(&run).await?;
    let checkpoint = Checkpoint::sealed(3, FOLD_VERSION, "{}".into());
    cx.store.save_checkpoint(&run, &checkpoint).await?;
    cx.shift_clock(100).await?;
    let earliest = cx.now("earliest").await?;

    let outcome = cx.store.prune_run(&run).await?;

    let after = cx.store.get_run(&run).await?;
    let listed = cx
        .store
        .list_runs(&RunQuery::new(run.tenant_id.clone()))
        .await?;
    let mut expected = before;
    expected.pruned_at = Some(outcome.pruned_at);
    check_eq!(outcome.removed, 3, "removed events");
    check!(
        outcome.pruned_at >= earliest,
        "pruned at {}, before {earliest}",
        outcome.pruned_at
    );
    check_eq!(after, expected, "record");
    check_eq!(listed, [expected], "runs in the list");
    check_eq!(cx.store.load_checkpoint(&run).await?, None, "checkpoint");
    Ok(())
}

/// read a pruned run's log as empty, with its head and the time of the prune
pub async fn reads_find_no_events(cx: &Cx) -> Result<(), Failure> {
    let (run, outcome) = pruned(cx).await?;

    for after in [0, 2, 3] {
        let page = cx.store.list_events(&run, after, 9).await?;
        check_eq!(page.events, [], "events after {after}");
        check_eq!(
            (page.head, page.pruned_at),
            (3, Some(outcome.pruned_at)),
            "head and time"
        );
    }
    Ok(())
}

/// refuse a run that has not ended with `NotPrunable`
///
/// CASES: G 69.
pub async fn live_run_is_not_pruned(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");
    cx.bootstrap(&run, vec![event(EventType::RunStarted, "k1")])
        .await?;
    deliver(cx, &run).await?;

    let refused = cx.store.prune_run(&run).await;

    check_matches!(
        refused,
        Err(StoreError::NotPrunable { run: of, status: RunStatus::Running, delivered_seq: 1, head: 1 })
            if *of == run,
        "reply"
    );
    check_eq!(seqs(&cx.log(&run).await?), [1], "log");
    Ok(())
}

/// refuse a run with undelivered events with `NotPrunable`
///
/// CASES: G 69.
pub async fn undelivered_events_are_not_pruned(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");
    let ends = vec![event(EventType::RunCancelled, "k1"), note("k2")];
    cx.bootstrap(&run, ends).await?;
    let claimed = cx.claim_only(&run).await?;
    cx.store.acknowledge(&claimed.lease, 1).await?;

    let refused = cx.store.prune_run(&run).await;

    check_matches!(
        refused,
        Err(StoreError::NotPrunable { run: of, status: RunStatus::Cancelled, delivered_seq: 1, head: 2 })
            if *of == run,
        "reply"
    );
    check_eq!(seqs(&cx.log(&run).await?), [1, 2], "log");
    Ok(())
}

/// answer a second prune with the first one's time and nothing removed
pub async fn second_prune_changes_nothing(cx: &Cx) -> Result<(), Failure> {
    let (run, first) = pruned(cx).await?;
    cx.shift_clock(100).await?;

    let second = cx.store.prune_run(&run).await?;

    check_eq!(
        second,
        PruneOutcome {
            pruned_at: first.pruned_at,
            removed: 0
        },
        "reply"
    );
    check_eq!(
        cx.store.get_run(&run).await?.pruned_at,
        Some(first.pruned_at),
        "time in the record"
    );
    Ok(())
}

/// refuse to append to a pruned run with `RunPruned`
pub async fn appends_are_refused(cx: &Cx) -> Result<(), Failure> {
    let (run, PruneOutcome { pruned_at, .. }) = pruned(cx).await?;
    let append = |event| AppendRequest::new(run.clone(), vec![event]);

    let replies = cx
        .store
        .append_batch(&[append(note("k2")), append(note("x"))])
        .await?;

    let refused = || {
        Err(AppendError::RunPruned {
            run: run.clone(),
            pruned_at,
        })
    };
    check_eq!(
        replies,
        [refused(), refused()],
        "replies to a former key and a new one"
    );
    check_eq!(cx.head(&run).await?, 3, "head");
    Ok(())
}

/// refuse to bootstrap a pruned run with `RunPruned`
pub async fn bootstrap_is_refused(cx: &Cx) -> Result<(), Failure> {
    let (run, outcome) = pruned(cx).await?;

    for events in [vec![], vec![event(EventType::RunStarted, "k1")]] {
        let refused = cx.store.bootstrap_run(&request(&run, events)).await;
        check_matches!(
            refused,
            Err(StoreError::RunPruned { run: of, pruned_at })
                if *of == run && *pruned_at == outcome.pruned_at,
            "reply"
        );
    }
    check_eq!(cx.head(&run).await?, 3, "head");
    Ok(())
}

/// refuse a provider reference or a checkpoint for a pruned run with `RunPruned`
pub async fn tombstone_is_not_written_to(cx: &Cx) -> Result<(), Failure> {
    let (run, outcome) = pruned(cx).await?;
    let record = cx.store.get_run(&run).await?;
    let checkpoint = Checkpoint::sealed(3, FOLD_VERSION, "{}".into());
    let provider_ref = ProviderRef::new("p", None, "w", None);

    let mut refused = vec![
        cx.store
            .save_checkpoint(&run, &checkpoint)
            .await
            .map(|saved| format!("{saved:?}")),
    ];
    for provider_ref in provider_ref.iter() {
        let saved = cx.store.save_provider_ref(&run, provider_ref).await;
        refused.push(saved.map(|()| "saved".to_owned()));
    }

    check_eq!(refused.len(), 2, "calls");
    for reply in refused {
        check_matches!(
            reply,
            Err(StoreError::RunPruned { run: of, pruned_at })
                if *of == run && *pruned_at == outcome.pruned_at,
            "reply"
        );
    }
    check_eq!(cx.store.get_run(&run).await?, record, "record");
    check_eq!(cx.store.load_checkpoint(&run).await?, None, "checkpoint");
    Ok(())
}

/// keep the dead letters of a pruned run
///
/// CASES: J 90.
pub async fn dead_letters_stay(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");
    cx.bootstrap(&run, vec![event(EventType::RunFailed, "k1")])
        .await?;
    let number = cx.kill(&run).await?;
    let letter = cx.store.skip_dead_letter(&run, number, &by_ann()).await?;

    cx.store.prune_run(&run).await?;

    check_eq!(cx.letters().await?, [letter], "dead letters");
    check_eq!(cx.store.stats().await?.skipped_events, 1, "skipped events");
    Ok(())
}
