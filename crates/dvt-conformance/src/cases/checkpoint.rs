//! Stored folds of a log.

use dvt_contracts::{
    Checkpoint, EventType, FOLD_VERSION, InvalidCall, MAX_CHECKPOINT_BYTES, RunKey,
    RunStateStoreExt, RunStatus, SaveOutcome, StoreError,
};

use crate::cx::Cx;
use crate::failure::{Failure, check, check_eq, check_matches};
use crate::fixture::{event, note, run};

fn checkpoint(run_seq: u64, state: &str) -> Checkpoint {
    Checkpoint::sealed(run_seq, FOLD_VERSION, state.to_owned())
}

async fn save(cx: &Cx, run: &RunKey, checkpoint: &Checkpoint) -> Result<SaveOutcome, Failure> {
    Ok(cx.store.save_checkpoint(run, checkpoint).await?)
}

/// give back the checkpoint that was saved last, byte for byte, and none before that
pub async fn saved_checkpoint_is_loaded(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let other = cx.run_with("b", 3).await?;
    let before = cx.store.load_checkpoint(&run).await?;
    let first = checkpoint(1, "{ \"é\\u0000\" : 1e400 }\n");
    let second = Checkpoint {
        fold_version: 7,
        checksum: "bad".into(),
        ..checkpoint(3, "")
    };

    let saved_first = save(cx, &run, &first).await?;
    let loaded_first = cx.store.load_checkpoint(&run).await?;
    let saved_second = save(cx, &run, &second).await?;
    let loaded_second = cx.store.load_checkpoint(&run).await?;

    check_eq!(before, None, "checkpoint before the first");
    check_eq!(
        [saved_first, saved_second],
        [SaveOutcome::Saved; 2],
        "replies"
    );
    check_eq!(loaded_first, Some(first), "first checkpoint");
    check_eq!(loaded_second, Some(second), "second checkpoint");
    check_eq!(
        cx.store.load_checkpoint(&other).await?,
        None,
        "another run's checkpoint"
    );
    Ok(())
}

/// keep the stored checkpoint if an older one is saved, and tell its `run_seq`
pub async fn older_checkpoint_never_replaces_a_newer(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let newer = checkpoint(3, "newer");
    save(cx, &run, &newer).await?;

    let outcome = save(cx, &run, &checkpoint(2, "older")).await?;

    check_eq!(outcome, SaveOutcome::Superseded { stored: 3 }, "reply");
    check_eq!(
        cx.store.load_checkpoint(&run).await?,
        Some(newer),
        "stored checkpoint"
    );
    Ok(())
}

/// replace the stored checkpoint by one of the same `run_seq`
pub async fn equal_run_seq_replaces(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let second = checkpoint(2, "second");
    save(cx, &run, &checkpoint(2, "first")).await?;

    let outcome = save(cx, &run, &second).await?;

    check_eq!(outcome, SaveOutcome::Saved, "reply");
    check_eq!(
        cx.store.load_checkpoint(&run).await?,
        Some(second),
        "stored checkpoint"
    );
    Ok(())
}

/// refuse a checkpoint beyond the head with `CheckpointBeyondHead`
pub async fn checkpoint_beyond_the_head_is_refused(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;

    for beyond in [3, u64::MAX] {
        let refused = cx
            .store
            .save_checkpoint(&run, &checkpoint(beyond, ""))
            .await;
        check_matches!(
            refused,
            Err(StoreError::Invalid(InvalidCall::CheckpointBeyondHead { run: of, run_seq, head: 2 }))
                if *of == run && *run_seq == beyond,
            "reply at {beyond}"
        );
    }

    check_eq!(
        cx.store.load_checkpoint(&run).await?,
        None,
        "stored checkpoint"
    );
    Ok(())
}

/// let no checkpoint change what other reads answer
///
/// CASES: C 28.
pub async fn no_checkpoint_changes_an_answer(cx: &Cx) -> Result<(), Failure> {
    let events = vec![
        event(EventType::RunStarted, "k1"),
        note("k2"),
        event(EventType::RunFailed, "k3"),
    ];
    let run = run("a");
    cx.bootstrap(&run, events).await?;
    let log = cx.log(&run).await?;
    let record = cx.store.get_run(&run).await?;
    let state = cx.store.load_state(&run).await?;
    let good = Checkpoint::of(&state);
    let another = cx.another().await?;
    let misleading = another
        .store
        .load_state(&another.run_with("a", 3).await?)
        .await?;
    let lie = Checkpoint::of(&misleading);

    for stored in [
        checkpoint(1, "no json"),
        Checkpoint {
            checksum: "0".repeat(64),
            ..lie.clone()
        },
        Checkpoint::sealed(lie.run_seq, FOLD_VERSION + 1, lie.state),
        good,
    ] {
        save(cx, &run, &stored).await?;
        check_eq!(
            cx.store.load_state(&run).await?,
            state,
            "state with {stored:?}"
        );
        check_eq!(cx.log(&run).await?, log, "log with {stored:?}");
        check_eq!(
            cx.store.get_run(&run).await?,
            record,
            "record with {stored:?}"
        );
    }
    check_eq!(state.status(), RunStatus::Failed, "status");
    Ok(())
}

/// refuse a checkpoint with a NUL or with more than `MAX_CHECKPOINT_BYTES`
pub async fn unstorable_checkpoint_is_refused(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    // Its checksum need not be right, only as long as one.
    let largest = Checkpoint {
        run_seq: 1,
        fold_version: FOLD_VERSION,
        checksum: "0".repeat(64),
        state: "x".repeat(MAX_CHECKPOINT_BYTES - 64),
    };
    let larger = Checkpoint {
        run_seq: 2,
        state: format!("{}x", largest.state),
        ..largest.clone()
    };

    let nul = cx.store.save_checkpoint(&run, &checkpoint(2, "a\0b")).await;
    let over = cx.store.save_checkpoint(&run, &larger).await;
    let taken = save(cx, &run, &largest).await?;

    check_matches!(
        nul,
        Err(StoreError::Invalid(InvalidCall::CheckpointWithNul {
            run_seq: 2
        })),
        "reply to a NUL"
    );
    check_matches!(
        over,
        Err(StoreError::Invalid(InvalidCall::CheckpointTooLarge { found }))
            if *found == MAX_CHECKPOINT_BYTES + 1,
        "reply to too many bytes"
    );
    check_eq!(
        taken,
        SaveOutcome::Saved,
        "reply to as many bytes as allowed"
    );
    let loaded = cx.store.load_checkpoint(&run).await?;
    check!(
        loaded == Some(largest),
        "another checkpoint is stored than the largest"
    );
    Ok(())
}
