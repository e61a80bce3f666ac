//! CASES L 101: to another tenant a run that is there looks like one that is missing.

use std::fmt::Debug;

use dvt_conformance::fixture::{by_ann, claim_all, note, notes, run_of, seqs};
use dvt_contracts::{
    AppendRequest, Checkpoint, Expected, OutboxStorage as _, OutboxStorageExt as _, PendingQuery,
    ProviderRef, RunKey, RunQuery, RunState, RunStateStore as _,
};

use crate::ground::{Ground, bootstrap};
use crate::trial::{Outcome, trials};

trials![
    l101_every_method_answers_as_for_a_missing_run,
    l102_a_run_id_is_free_for_every_tenant,
];

/// What every method that names a run answers, errors with all that they say.
async fn answers(ground: &Ground, run: &RunKey) -> Vec<String> {
    let store = &ground.store;
    let provider_ref = ProviderRef::new("provider", None, "workflow", None).unwrap();
    let checkpoint = Checkpoint::of(&RunState::new());
    let request = |expected| AppendRequest::new(run.clone(), vec![note("k1")]).expecting(expected);
    let pending = PendingQuery {
        run: Some(run.clone()),
        ..PendingQuery::default()
    };
    vec![
        shown(store.get_run(run).await),
        shown(store.list_events(run, 0, 10).await),
        shown(store.append_batch(&[request(Expected::Any)]).await),
        shown(store.append_batch(&[request(Expected::At(3))]).await),
        shown(store.save_provider_ref(run, &provider_ref).await),
        shown(store.load_checkpoint(run).await),
        shown(store.save_checkpoint(run, &checkpoint).await),
        shown(store.prune_run(run).await),
        shown(store.park_run(run, &by_ann()).await),
        shown(store.retry_dead_letter(run, 1, &by_ann()).await),
        shown(store.skip_dead_letter(run, 1, &by_ann()).await),
        shown(store.list_pending(&pending).await),
        shown(store.list_runs(&RunQuery::new(run.tenant_id.clone())).await),
    ]
}

fn shown(answer: impl Debug) -> String {
    format!("{answer:?}")
}

async fn l101_every_method_answers_as_for_a_missing_run() -> Outcome {
    let ground = Ground::new().await;
    let (theirs, seen, missing) = (run_of("a", "run"), run_of("b", "run"), run_of("b", "xyz"));
    bootstrap(&ground.store, &theirs).await;
    ground.append(&theirs, notes(1, 3)).await?;
    // A dead letter and a lease, so that there is something to find.
    ground.store.park_run(&theirs, &by_ann()).await?;

    let found = answers(&ground, &seen).await;
    let expected = answers(&ground, &missing).await;

    let renamed: Vec<String> = found
        .iter()
        .map(|answer| answer.replace("RunId(\"run\")", "RunId(\"xyz\")"))
        .collect();
    assert_eq!(renamed, expected);
    assert!(found[0].contains("NotFound"), "{}", found[0]);
    // The run's own tenant is answered otherwise.
    assert_ne!(answers(&ground, &theirs).await, found);
    assert_eq!(ground.log(&theirs).await, [1, 2, 3]);
    Ok(())
}

async fn l102_a_run_id_is_free_for_every_tenant() -> Outcome {
    let ground = Ground::new().await;
    let (one, other) = (run_of("a", "run"), run_of("b", "run"));
    for run in [&one, &other] {
        bootstrap(&ground.store, run).await;
    }
    ground.append(&one, notes(1, 3)).await?;

    assert_eq!(ground.append(&other, notes(1, 1)).await?.head, 1);

    let claimed = ground.store.claim(&claim_all()).await?;
    for run in claimed {
        let expected: Vec<u64> = if run.lease.run == one {
            vec![1, 2, 3]
        } else {
            vec![1]
        };
        assert_eq!(seqs(&run.events), expected);
        ground
            .store
            .acknowledge(&run.lease, run.lease.last_seq)
            .await?;
    }
    Ok(())
}
