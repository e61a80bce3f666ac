//! A server of its own that goes down, or takes no writes for a while: the store needs no restart.

use std::process::Command;
use std::time::{Duration, Instant};

use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_conformance::fixture::{claim_all, note, run};
use dvt_contracts::{
    AppendOutcome, AppendRequest, ErrorClass, OutboxStorage as _, RunStateStore as _,
    RunStateStoreExt as _, StoreError,
};
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::ground::becomes_true;
use crate::migrations::quietly;
use crate::own_server::OwnServer;
use crate::server::{connect_to, execute};
use crate::stage::{bootstrap, number, until};
use crate::trial::{Outcome, trials};

trials![a_store_outlives_what_its_server_goes_through];

/// One cluster for all of it: to make one takes longer than the rest.
async fn a_store_outlives_what_its_server_goes_through() -> Outcome {
    let Some(server) = OwnServer::start() else {
        return Ok(());
    };
    let settings = PostgresSettings::from_url(&server.url())?;
    quietly(&settings).await?;
    let store = PostgresStore::connect(settings.with_max_connections(4)?).await?;
    bootstrap(&store, &["run"]).await;

    let killed = a_killed_server_process(&server, &store).await?;
    let stopped = an_immediate_stop(&server, &store).await?;
    a_spell_without_writes(&server, &store).await?;

    let page = store.list_events(&run("run"), 0, 100).await?;
    let keys = page
        .events
        .iter()
        .map(|event| event.event.idempotency_key().to_string());
    let expected = [
        "killed",
        "killed next",
        "stopped",
        "stopped next",
        "reads",
        "reads next",
    ];
    assert_eq!(keys.collect::<Vec<_>>(), expected);
    println!(
        "writes again {killed:.1?} after kill -9 of a session, {stopped:.1?} after an immediate stop"
    );
    Ok(())
}

fn request(key: &str) -> AppendRequest {
    AppendRequest::new(run("run"), vec![note(key)])
}

/// An append that waits for a lock: it has been sent, and cannot be done before the lock's holder ends.
async fn in_flight(
    server: &OwnServer,
    store: &PostgresStore,
    key: &'static str,
) -> (
    PgConnection,
    i64,
    JoinHandle<Result<AppendOutcome, StoreError>>,
) {
    let mut holder = connect_to(&server.url()).await;
    execute(&mut holder, "BEGIN; SELECT FROM dvt.outbox FOR UPDATE").await;
    let store = store.clone();
    let append = tokio::spawn(async move { store.append_and_enqueue(request(key)).await });
    let mut observer = connect_to(&server.url()).await;
    let waits = "FROM pg_stat_activity WHERE application_name = 'dvt' AND wait_event_type = 'Lock'";
    until(&mut observer, &format!("SELECT count(*) {waits}"), 1).await;
    let pid = number(&mut observer, &format!("SELECT pid::bigint {waits}")).await;
    (holder, pid, append)
}

/// Another append, until it is answered; then the first one again, which had not been stored.
async fn recovers(store: &PostgresStore, first: &str, next: &str) -> Result<Duration, StoreError> {
    let begun = Instant::now();
    let again = becomes_true(
        async || match store.append_and_enqueue(request(first)).await {
            Ok(appended) => !appended.events[0].is_duplicate(),
            Err(error) => {
                let class = error.class();
                assert!(
                    matches!(class, ErrorClass::Transient | ErrorClass::Unknown),
                    "{error:?}"
                );
                false
            }
        },
    );
    assert!(again.await, "no write within 10 s");
    let recovery = begun.elapsed();
    store.append_and_enqueue(request(next)).await?;
    // The connections that nobody used meanwhile are dead, and are found out one by one.
    for _ in 0..8 {
        let _ = store.get_run(&run("run")).await;
    }
    store.claim(&claim_all()).await.unwrap();
    Ok(recovery)
}

/// The others are sent away with a warning (57P02), and the server recovers (57P03).
async fn a_killed_server_process(
    server: &OwnServer,
    store: &PostgresStore,
) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    let (_holder, pid, append) = in_flight(server, store, "killed").await;

    let killed = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()?;

    assert!(killed.success());
    let error = append.await?.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unknown, "{error:?}");
    Ok(recovers(store, "killed", "killed next").await?)
}

async fn an_immediate_stop(
    server: &OwnServer,
    store: &PostgresStore,
) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    let (_holder, _, append) = in_flight(server, store, "stopped").await;

    tokio::task::block_in_place(|| server.crash_and_restart());

    let error = append.await?.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unknown, "{error:?}");
    Ok(recovers(store, "stopped", "stopped next").await?)
}

/// 25006 for every write, and reads go on.
async fn a_spell_without_writes(server: &OwnServer, store: &PostgresStore) -> Outcome {
    let mut admin = connect_to(&server.url()).await;
    execute(
        &mut admin,
        "ALTER SYSTEM SET default_transaction_read_only = on",
    )
    .await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    // Each process reads the file for itself.
    let mut error = None;
    let refused = becomes_true(async || {
        let claimed = store.claim(&claim_all()).await;
        error = claimed.err();
        error.is_some()
    });
    assert!(refused.await, "writes go on");
    assert_eq!(error.unwrap().class(), ErrorClass::Transient);
    let refused = becomes_true(async || {
        // A known key: nothing is written in any case.
        let appended = store.append_and_enqueue(request("killed")).await;
        matches!(appended, Err(error) if error.class() == ErrorClass::Transient)
    });
    assert!(refused.await, "writes go on");
    store.get_run(&run("run")).await?;

    execute(
        &mut admin,
        "ALTER SYSTEM RESET default_transaction_read_only",
    )
    .await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    recovers(store, "reads", "reads next").await?;
    Ok(())
}
