//! Who reads what, who saves, and what a bad checkpoint changes.

use dvt_conformance::fixture::{event, notes, run};
use dvt_contracts::*;

use crate::counting::{Calls, Checkpoints, Counting};
use crate::history::History;

/// A run with so many events, and their fold.
async fn filled(store: &Counting, count: u64) -> (RunKey, RunState) {
    let run = run("a");
    store.bootstrap(&run).await;
    let mut history = History::new(6);
    let events = history.events(count);
    store.append(&run, &events).await;
    (run, history.state().clone())
}

#[tokio::test]
async fn a_cold_load_reads_the_log_and_saves_once_and_the_next_reads_the_tail() {
    let store = Counting::default();
    let (run, state) = filled(&store, 4_500).await;

    assert_eq!(store.load_state(&run).await.unwrap(), state);
    let cold = Calls {
        pages: 5,
        events: 4_500,
        loads: 1,
        saves: 1,
    };
    assert_eq!(store.calls(), cold);

    store.append(&run, &notes(1, 10)).await;
    for _ in 0..3 {
        assert_eq!(store.load_state(&run).await.unwrap().last_seq(), 4_510);
        let tail = Calls {
            pages: 1,
            events: 10,
            loads: 1,
            saves: 0,
        };
        assert_eq!(store.calls(), tail);
    }
}

#[tokio::test]
async fn a_checkpoint_is_saved_when_the_tail_has_become_long_and_not_before() {
    let store = Counting::default();
    let every = usize::try_from(CHECKPOINT_EVERY).unwrap();
    let run = run("a");
    store.bootstrap(&run).await;
    for round in 0..3 {
        let first = round * every;
        store
            .append(&run, &notes(first + 1, first + every - 1))
            .await;
        store.load_state(&run).await.unwrap();
        assert_eq!(store.calls().saves, 0, "one event fewer, round {round}");

        store
            .append(&run, &notes(first + every, first + every))
            .await;
        let state = store.load_state(&run).await.unwrap();
        assert_eq!(store.calls().saves, 1, "round {round}");
        let saved = store.load_checkpoint(&run).await.unwrap();
        assert_eq!(saved, Some(Checkpoint::of(&state)));
        store.calls();
    }
}

#[tokio::test]
async fn reading_never_saves() {
    let store = Counting::default();
    let (run, state) = filled(&store, 2_500).await;

    for _ in 0..2 {
        assert_eq!(store.read_state(&run).await.unwrap(), state);
        let calls = store.calls();
        assert_eq!((calls.events, calls.saves), (2_500, 0));
    }
    assert_eq!(store.load_checkpoint(&run).await.unwrap(), None);

    // What others have saved is used.
    store.load_state(&run).await.unwrap();
    store.calls();
    assert_eq!(store.read_state(&run).await.unwrap(), state);
    let calls = store.calls();
    assert_eq!((calls.events, calls.saves), (0, 0));
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_saved_is_nobodys_failure() {
    let store = Counting::default();
    let (run, state) = filled(&store, 2_500).await;
    store.set(Checkpoints::Refused);

    for _ in 0..2 {
        assert_eq!(store.load_state(&run).await.unwrap(), state);
        assert_eq!(store.calls().saves, 1);
    }
}

/// Who read before others saved must not take their checkpoint away.
#[tokio::test]
async fn a_slower_reader_replaces_nothing() {
    let store = Counting::default();
    let (run, old) = filled(&store, 2_500).await;
    store.append(&run, &notes(1, 1_000)).await;
    let new = store.load_state(&run).await.unwrap();

    let late = store.save_checkpoint(&run, &Checkpoint::of(&old)).await;

    assert_eq!(late.unwrap(), SaveOutcome::Superseded { stored: 3_500 });
    let stored = store.load_checkpoint(&run).await.unwrap();
    assert_eq!(stored, Some(Checkpoint::of(&new)));
}

#[tokio::test]
async fn lost_and_bad_checkpoints_change_no_answer() {
    let store = Counting::default();
    let (run, _) = filled(&store, 2_500).await;
    store.load_state(&run).await.unwrap();
    let mut history = History::new(6);
    history.events(2_500);
    let tail = history.events(700);
    store.append(&run, &tail).await;
    let ways: [fn(Checkpoint) -> Checkpoint; 7] = [
        |good| Checkpoint {
            checksum: "0".repeat(64),
            ..good
        },
        |good| Checkpoint {
            fold_version: FOLD_VERSION + 1,
            ..good
        },
        |good| Checkpoint::sealed(good.run_seq, FOLD_VERSION + 1, good.state),
        // Its checksum is right, and the state in it is that of another event.
        |good| Checkpoint::sealed(good.run_seq - 1, FOLD_VERSION, good.state),
        |good| Checkpoint::sealed(good.run_seq, FOLD_VERSION, "{}".to_owned()),
        // Beyond the head.
        |good| Checkpoint::sealed(u64::MAX, FOLD_VERSION, good.state),
        |good| Checkpoint {
            state: good.state.replacen("Running", "Failed", 1),
            ..good
        },
    ];
    store.calls();
    let bad = ways.map(Checkpoints::Corrupt);
    for (at, checkpoints) in [Checkpoints::Kept, Checkpoints::Deleted]
        .into_iter()
        .chain(bad)
        .enumerate()
    {
        store.set(checkpoints);
        assert_eq!(
            store.read_state(&run).await.unwrap(),
            *history.state(),
            "way {at}"
        );
        let folded = store.calls().events;
        if at == 0 {
            assert_eq!(folded, 700);
        } else {
            assert!(folded >= 3_200, "way {at} was believed");
        }
        assert_eq!(
            store.load_state(&run).await.unwrap(),
            *history.state(),
            "way {at}"
        );
        store.calls();
    }
    // The loads among these have put a good one in its place.
    store.set(Checkpoints::Kept);
    store.read_state(&run).await.unwrap();
    assert_eq!(store.calls().events, 0);
}

#[tokio::test]
async fn a_pruned_run_has_no_state_and_gets_no_checkpoint() {
    let store = Counting::default();
    let run = run("a");
    store.bootstrap(&run).await;
    store
        .append(
            &run,
            &[
                event(EventType::RunStarted, "1"),
                event(EventType::RunCompleted, "2"),
            ],
        )
        .await;
    store.deliver_all().await;
    store.prune_run(&run).await.unwrap();

    for told in [store.load_state(&run).await, store.read_state(&run).await] {
        assert!(matches!(told, Err(StoreError::RunPruned { .. })));
    }
    assert_eq!(store.calls().saves, 0);
}
