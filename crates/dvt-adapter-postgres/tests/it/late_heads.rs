//! Calls that wait for a head and find it changed: the constraints hold for what they find, not for what they saw first.

use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_conformance::fixture::{by_ann, event, metadata, note, run};
use dvt_contracts::{BootstrapRequest, EventType, OutboxStorage as _, RunKey, RunStateStore as _};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::server::{TestSchema, connect, execute, random_name};
use crate::stage::{
    assert_consistent, bootstrap, hold, migrated, open, request, until, url_named, waiting,
};
use crate::trial::{Outcome, trials};

trials![
    a_run_is_parked_that_had_nothing_pending,
    a_run_is_pruned_that_was_not_delivered,
    a_run_is_pruned_that_was_parked,
];

/// A store whose sessions can be found.
async fn named(schema: &TestSchema) -> (PostgresStore, String) {
    let name = random_name();
    let settings: PostgresSettings = schema.settings_by(&url_named(&name));
    (open(settings).await, name)
}

async fn a_run_is_parked_that_had_nothing_pending() -> Outcome {
    let schema = migrated().await;
    let (store, name) = named(&schema).await;
    let runs = bootstrap(&store, &["run"]).await;
    let mut writer = schema.settings().store_connection().await?;
    let mut transaction = writer.begin().await?;
    let event = [request(&runs[0], note("k1"))];
    assert!(store.append_in(&mut transaction, &event).await?[0].is_ok());
    let (late, run) = (store.clone(), runs[0].clone());
    let parked = tokio::spawn(async move { late.park_run(&run, &by_ann()).await });
    until(&mut connect().await, &waiting(&name), 1).await;

    transaction.commit().await?;

    let letter = parked.await??;
    assert_eq!(
        (letter.dead_letter_no, letter.run_seq, letter.attempts),
        (1, 1, 0)
    );
    assert_eq!(store.stats().await?.parked_runs, 1);
    assert_consistent(&mut connect().await, schema.name()).await;
    Ok(())
}

/// An ended run with one event to deliver.
async fn ended(store: &PostgresStore) -> RunKey {
    let request = BootstrapRequest {
        run: run("run"),
        metadata: metadata(),
        events: vec![event(EventType::RunCancelled, "end")],
    };
    store.bootstrap_run(&request).await.unwrap();
    request.run
}

/// While `holder` has the head, a prune begins; then the holder delivers the event, whatever the head is like.
async fn pruned_late(
    schema: &TestSchema,
    store: &PostgresStore,
    name: &str,
    mut holder: PgConnection,
) -> Outcome {
    let late = store.clone();
    let pruned = tokio::spawn(async move { late.prune_run(&run("run")).await });
    until(&mut connect().await, &waiting(name), 1).await;

    let deliver = format!(
        "UPDATE {}.outbox SET delivered_seq = 1, due_at = NULL, parked_at = NULL, lease_token = NULL, \
         lease_expires_at = NULL, unfinished_claims = 0, pending_since = NULL",
        schema.name()
    );
    execute(&mut holder, deliver).await;
    let close = format!(
        "UPDATE {}.outbox_dead_letters SET resolution = 'Skipped', resolved_by = 'ann', \
                         resolved_reason = 'never needed', resolved_at = now()",
        schema.name()
    );
    sqlx::query(AssertSqlSafe(close))
        .execute(&mut holder)
        .await?;
    execute(&mut holder, "COMMIT").await;

    assert_eq!(pruned.await??.removed, 1);
    let record = store.get_run(&run("run")).await?;
    assert_eq!((record.head, record.delivered_seq), (1, 1));
    assert!(record.pruned_at.is_some());
    assert_consistent(&mut connect().await, schema.name()).await;
    Ok(())
}

async fn a_run_is_pruned_that_was_not_delivered() -> Outcome {
    let schema = migrated().await;
    let (store, name) = named(&schema).await;
    let run = ended(&store).await;
    store.claim(&dvt_conformance::fixture::claim_all()).await?;
    let holder = hold(schema.name(), &[run]).await;

    pruned_late(&schema, &store, &name, holder).await
}

async fn a_run_is_pruned_that_was_parked() -> Outcome {
    let schema = migrated().await;
    let (store, name) = named(&schema).await;
    let run = ended(&store).await;
    store.park_run(&run, &by_ann()).await?;
    let holder = hold(schema.name(), &[run]).await;

    pruned_late(&schema, &store, &name, holder).await
}
