//! Numbers in the log, whatever happens on the way.

use std::sync::Arc;

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{note, notes, seqs};
use dvt_contracts::{
    AppendError, AppendRequest, Disposition, ErrorClass, RunKey, RunStateStore as _,
    RunStateStoreExt as _, StoreError,
};
use sqlx::PgConnection;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use crate::ground::{Ground, becomes_true};
use crate::server::{connect, execute};
use crate::trial::{Outcome, trials};

trials![
    b14_thirty_two_writers_number_one_run_without_a_gap,
    b15_a_rollback_leaves_no_gap,
    b15_a_key_that_was_taken_meanwhile_leaves_no_gap,
    b15_a_killed_backend_leaves_no_gap,
    b19_the_last_number_is_given_and_then_no_other,
    b19_every_number_has_eight_bytes,
    b23_no_reader_skips_an_event,
];

/// CASES B 14: 32 writers, 50 appends each, on one run, over two pools.
async fn b14_thirty_two_writers_number_one_run_without_a_gap() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let other = PostgresStore::connect(ground.schema.settings()).await?;

    let writers: Vec<JoinHandle<Result<Vec<u64>, StoreError>>> = (0..32)
        .map(|writer| {
            let store = if writer % 2 == 0 {
                &ground.store
            } else {
                &other
            };
            let (store, run) = (store.clone(), run.clone());
            tokio::spawn(async move {
                let mut given = Vec::new();
                for number in 0..50 {
                    let event = note(&format!("{writer}-{number}"));
                    let outcome = store
                        .append_and_enqueue(AppendRequest::new(run.clone(), vec![event]))
                        .await?;
                    given.push(outcome.events[0].stored.run_seq);
                }
                Ok(given)
            })
        })
        .collect();
    let mut given = Vec::new();
    for writer in writers {
        given.extend(writer.await??);
    }

    given.sort_unstable();
    assert!(given.into_iter().eq(1..=1_600));
    assert!(ground.log(&run).await.into_iter().eq(1..=1_600));
    Ok(())
}

/// Somebody who holds a run's head while an append waits for it.
struct Waiting {
    holder: PgConnection,
    append: JoinHandle<Result<dvt_contracts::AppendOutcome, StoreError>>,
    waiter: i32,
}

/// The holder does its work under the head's lock; the append comes later and waits.
async fn append_behind(ground: &Ground, run: &RunKey, key: &str, work: &str) -> Waiting {
    let mut holder = ground.connection().await;
    execute(&mut holder, "BEGIN; SELECT FROM outbox FOR UPDATE").await;
    execute(&mut holder, work).await;
    let holder_pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut holder)
        .await
        .unwrap();
    let (store, request) = (
        ground.store.clone(),
        AppendRequest::new(run.clone(), vec![note(key)]),
    );
    let append = tokio::spawn(async move { store.append_and_enqueue(request).await });
    let mut observer = connect().await;
    let mut waiter = None;
    let waits = becomes_true(async || {
        let found: Option<i32> = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))",
        )
        .bind(holder_pid)
        .fetch_optional(&mut observer)
        .await
        .unwrap();
        waiter = found;
        found.is_some()
    });
    assert!(waits.await, "the append does not wait");
    Waiting {
        holder,
        append,
        waiter: waiter.unwrap(),
    }
}

const WRITE_ONE: &str = "
    INSERT INTO run_events (
        tenant_id, run_id, run_seq, event_type, logical_attempt, engine_attempt, idempotency_key, emitted_at, persisted_at,
        payload, payload_size
    ) VALUES ('tenant', 'run', 1, 'Note', 1, 1, 'theirs', now(), now(), '{\"note\": \"theirs\"}', 18);
    UPDATE outbox SET last_seq = 1, last_persisted_at = now(), due_at = now(), pending_since = now()";

/// CASES B 15: what another writer took back is given again.
async fn b15_a_rollback_leaves_no_gap() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let mut waiting = append_behind(&ground, &run, "ours", WRITE_ONE).await;

    execute(&mut waiting.holder, "ROLLBACK").await;

    assert_eq!(waiting.append.await??.head, 1);
    assert_eq!(ground.log(&run).await, [1]);
    Ok(())
}

/// CASES B 15: a unique violation under the lock (23505) ends as a duplicate, and its number goes to the next event.
async fn b15_a_key_that_was_taken_meanwhile_leaves_no_gap() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let mut waiting = append_behind(&ground, &run, "theirs", WRITE_ONE).await;

    execute(&mut waiting.holder, "COMMIT").await;
    let outcome = waiting.append.await??;

    assert_eq!(outcome.events[0].stored.run_seq, 1);
    assert_eq!(
        outcome.events[0].disposition,
        Disposition::Duplicate { same_content: true }
    );
    assert_eq!(ground.append(&run, vec![note("next")]).await?.head, 2);
    assert_eq!(ground.log(&run).await, [1, 2]);
    Ok(())
}

/// CASES B 15: the server process of an append dies between its locks and its commit.
async fn b15_a_killed_backend_leaves_no_gap() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let mut waiting = append_behind(&ground, &run, "ours", "SELECT").await;

    execute(
        &mut connect().await,
        format!("SELECT pg_terminate_backend({})", waiting.waiter),
    )
    .await;
    let killed = waiting.append.await?.unwrap_err();
    execute(&mut waiting.holder, "COMMIT").await;

    assert_eq!(killed.class(), ErrorClass::Unknown, "{killed}");
    let retried = ground.append(&run, vec![note("ours")]).await?;
    assert!(!retried.events[0].is_duplicate());
    assert_eq!(ground.append(&run, vec![note("next")]).await?.head, 2);
    assert_eq!(ground.log(&run).await, [1, 2]);
    Ok(())
}

/// CASES B 19: at the end of the numbers nothing wraps.
async fn b19_the_last_number_is_given_and_then_no_other() -> Outcome {
    const LAST: u64 = i64::MAX as u64;
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let far = format!(
        "UPDATE outbox SET last_seq = {0}, delivered_seq = {0}",
        LAST - 1
    );
    execute(&mut ground.connection().await, far).await;
    let overflow = |error: StoreError, head: u64, events: usize| {
        let expected = AppendError::SequenceOverflow {
            run: run.clone(),
            head,
            events,
        };
        assert!(
            matches!(&error, StoreError::Append(found) if *found == expected),
            "{error:?}"
        );
    };

    overflow(
        ground.append(&run, notes(1, 2)).await.unwrap_err(),
        LAST - 1,
        2,
    );
    let last = ground.append(&run, notes(1, 1)).await?;
    overflow(ground.append(&run, notes(2, 2)).await.unwrap_err(), LAST, 1);
    let again = ground.append(&run, notes(1, 1)).await?;

    assert_eq!((last.head, last.events[0].stored.run_seq), (LAST, LAST));
    assert_eq!(again.events[0].stored, last.events[0].stored);
    let page = ground.store.list_events(&run, LAST - 1, 10).await?;
    assert_eq!(seqs(&page.events), [LAST]);
    assert_eq!(ground.store.get_run(&run).await?.head, LAST);
    Ok(())
}

/// CASES B 19: by catalogue.
async fn b19_every_number_has_eight_bytes() -> Outcome {
    let ground = Ground::new().await;
    let narrow = "SELECT table_name || '.' || column_name FROM information_schema.columns \
                  WHERE table_schema = $1 AND data_type IN ('integer', 'smallint')";
    let numbers = "SELECT count(*) FROM information_schema.columns WHERE table_schema = $1 AND data_type = 'bigint'";
    let (mut conn, schema) = (connect().await, ground.schema.name().as_str());

    let narrow: Vec<String> = sqlx::query_scalar(narrow)
        .bind(schema)
        .fetch_all(&mut conn)
        .await?;
    let numbers: i64 = sqlx::query_scalar(numbers)
        .bind(schema)
        .fetch_one(&mut conn)
        .await?;

    assert_eq!(narrow, Vec::<String>::new());
    assert!(numbers > 10);
    Ok(())
}

/// CASES B 23: eight writers over twenty runs commit in any order; readers that follow each run by its cursor meet every
/// number in turn.
async fn b23_no_reader_skips_an_event() -> Outcome {
    const EACH: u64 = 8 * 12;
    let ground = Arc::new(Ground::new().await);
    let mut runs = Vec::new();
    for number in 0..20 {
        runs.push(ground.bootstrap(&format!("run-{number:02}")).await);
    }
    let start = Arc::new(Barrier::new(10));
    let readers: Vec<JoinHandle<Result<(), StoreError>>> = (0..2)
        .map(|_| {
            let (ground, runs, start) = (Arc::clone(&ground), runs.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                let mut cursors = vec![0; runs.len()];
                while cursors.iter().any(|cursor| *cursor < EACH) {
                    for (run, cursor) in runs.iter().zip(&mut cursors) {
                        for event in ground.store.list_events(run, *cursor, 1_000).await?.events {
                            assert_eq!(event.run_seq, *cursor + 1, "of {run}");
                            *cursor += 1;
                        }
                    }
                }
                Ok(())
            })
        })
        .collect();
    let writers: Vec<JoinHandle<Result<(), StoreError>>> = (0..8)
        .map(|writer: usize| {
            let (ground, runs, start) = (Arc::clone(&ground), runs.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                for number in 0..12 {
                    // Each writer begins elsewhere; five runs a call.
                    for part in 0..4 {
                        let chosen =
                            (0..5).map(|place| &runs[(writer * 3 + part * 5 + place) % runs.len()]);
                        let event = note(&format!("{writer}-{number}"));
                        let requests: Vec<_> = chosen
                            .map(|run| AppendRequest::new(run.clone(), vec![event.clone()]))
                            .collect();
                        for reply in ground.store.append_batch(&requests).await? {
                            reply?;
                        }
                    }
                }
                Ok(())
            })
        })
        .collect();

    for task in writers.into_iter().chain(readers) {
        tokio::time::timeout(std::time::Duration::from_secs(60), task).await???;
    }
    Ok(())
}
