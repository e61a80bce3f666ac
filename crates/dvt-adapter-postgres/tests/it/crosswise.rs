//! Calls that get in each other's way.

use std::sync::Arc;

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{note, run};
use dvt_contracts::{
    AppendRequest, Disposition, Expected, RunStateStore as _, RunStateStoreExt as _, StoreError,
};
use tokio::sync::Barrier;

use crate::ground::Ground;
use crate::trial::{Outcome, trials};

trials!(
    two_copies_of_a_conditional_call_agree,
    crosswise_calls_all_succeed,
);

const ROUNDS: u64 = 1_000;
const CALLS: usize = 10_000;
const TASKS: usize = 4;

async fn another(ground: &Ground) -> PostgresStore {
    PostgresStore::connect(ground.schema.settings())
        .await
        .unwrap()
}

/// CASES A 7, B 18: the second copy is what a caller sends whose reply was lost.
async fn two_copies_of_a_conditional_call_agree() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("a").await;
    let stores = [ground.store.clone(), another(&ground).await];

    for head in 0..ROUNDS {
        let events = vec![note(&format!("k{head}"))];
        let request = AppendRequest::new(run.clone(), events).expecting(Expected::At(head));
        let (one, other) = tokio::join!(
            stores[0].append_and_enqueue(request.clone()),
            stores[1].append_and_enqueue(request.clone()),
        );
        let (one, other) = (one?, other?);
        assert_eq!(one.events[0].stored, other.events[0].stored);
        assert_eq!(one.events[0].stored.run_seq, head + 1);
        let mut appended = [&one, &other].map(|copy| copy.events[0].disposition);
        appended.sort_by_key(|disposition| *disposition != Disposition::Appended);
        let duplicate = Disposition::Duplicate { same_content: true };
        assert_eq!(appended, [Disposition::Appended, duplicate]);
    }
    assert_eq!(ground.log(&run).await, (1..=ROUNDS).collect::<Vec<_>>());
    Ok(())
}

/// CASES B 21.
async fn crosswise_calls_all_succeed() -> Outcome {
    let ground = Ground::new().await;
    let runs = ["a", "b", "c", "d", "e", "f"];
    for id in runs {
        ground.bootstrap(id).await;
    }
    let stores = [ground.store.clone(), another(&ground).await];
    let barrier = Arc::new(Barrier::new(TASKS));

    let tasks = (0..TASKS).map(|task| {
        let (store, barrier) = (stores[task % 2].clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            barrier.wait().await;
            let mut appended = 0;
            for call in 0..CALLS / TASKS {
                // Another first run, another direction and another number of runs each time.
                let size = 2 + (call + task) % 5;
                let at = |step: usize| match task % 2 {
                    0 => (call + step) % runs.len(),
                    _ => (call + runs.len() - step) % runs.len(),
                };
                let key = format!("{task}-{call}");
                let requests: Vec<AppendRequest> = (0..size)
                    .map(|step| AppendRequest::new(run(runs[at(step)]), vec![note(&key)]))
                    .collect();
                for reply in store.append_batch(&requests).await? {
                    appended += reply?.events.len();
                }
            }
            Ok::<usize, StoreError>(appended)
        })
    });
    let mut appended = 0;
    for task in tasks.collect::<Vec<_>>() {
        appended += task.await??;
    }

    let mut stored = 0;
    for id in runs {
        let log = ground.log(&run(id)).await;
        assert!(log.iter().copied().eq(1..=log.len() as u64), "log of {id}");
        stored += log.len();
    }
    assert_eq!(stored, appended);
    Ok(())
}
