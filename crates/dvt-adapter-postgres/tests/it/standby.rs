//! CASES A 8: "it is there already" is as durable as "it is written".

use std::time::Duration;

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{metadata, note, notes, run};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, ErrorClass, RunKey, RunStateStore as _, RunStateStoreExt as _,
};

use crate::ground::becomes_true;
use crate::migrations::quietly;
use crate::own_server::OwnServer;
use crate::server::{TestSchema, connect_to, execute};
use crate::trial::{Outcome, trials};

trials![a8_no_reply_is_given_before_the_synchronous_standby_has_it];

async fn a8_no_reply_is_given_before_the_synchronous_standby_has_it() -> Outcome {
    let Some(server) = OwnServer::start() else {
        return Ok(());
    };
    let settings = TestSchema::create().settings_by(&server.url());
    quietly(&settings).await?;
    let settings =
        settings.with_timeouts(Duration::from_millis(1_200), Duration::from_millis(400))?;
    let store = PostgresStore::connect(settings.clone()).await?;
    let met = PostgresStore::connect(settings).await?;
    let runs = ["fresh", "known", "partly", "made", "met"].map(run);
    let bootstrap = |run: &RunKey| BootstrapRequest {
        run: run.clone(),
        metadata: metadata(),
        events: notes(1, 2),
    };
    // One more event, none, some, none, none.
    let append = |run: &RunKey, last| AppendRequest::new(run.clone(), notes(1, last));
    let mut admin = connect_to(&server.url()).await;
    for run in &runs {
        store.bootstrap_run(&bootstrap(run)).await?;
    }
    // A store that has met known keys looks at once; the other one takes keys to be new.
    met.append_and_enqueue(append(&runs[4], 2)).await?;

    // The standby is away: what nobody else has is not acknowledged.
    execute(
        &mut admin,
        "ALTER SYSTEM SET synchronous_standby_names = 'absent'",
    )
    .await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    let probe = probe(&server).await;
    let waits = becomes_true(async || {
        let sql = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap()
    });
    assert!(waits.await, "no commit waits for the standby");
    let fresh = AppendRequest::new(runs[0].clone(), vec![note("k3")]);
    let unanswered = [
        store.append_and_enqueue(fresh).await.unwrap_err(),
        store
            .append_and_enqueue(append(&runs[1], 2))
            .await
            .unwrap_err(),
        store
            .append_and_enqueue(append(&runs[2], 3))
            .await
            .unwrap_err(),
        store.bootstrap_run(&bootstrap(&runs[3])).await.unwrap_err(),
        met.append_and_enqueue(append(&runs[4], 2))
            .await
            .unwrap_err(),
    ];
    assert_eq!(
        unanswered.map(|error| error.class()),
        [ErrorClass::Unknown; 5]
    );
    // The runs stay locked by those who wait, so a repetition does not even come so far.
    for run in &runs[..3] {
        let again = store.append_and_enqueue(append(run, 2)).await.unwrap_err();
        assert_eq!(again.class(), ErrorClass::Transient);
    }
    // A read tells what is there, and promises nothing.
    assert_eq!(store.get_run(&runs[1]).await?.head, 2);

    execute(&mut admin, "ALTER SYSTEM RESET synchronous_standby_names").await;
    execute(&mut admin, "SELECT pg_reload_conf()").await;
    assert!(
        becomes_true(async || probe.is_finished()).await,
        "commits still wait"
    );
    for run in &runs {
        // Whoever waited gives the lock back when the standby is no longer waited for.
        let mut retried = None;
        let done = becomes_true(async || {
            retried = store.append_and_enqueue(append(run, 3)).await.ok();
            retried.is_some()
        });
        assert!(done.await, "{run}");
        assert_eq!(retried.unwrap().head, 3);
        assert!(!store.bootstrap_run(&bootstrap(run)).await?.created);
    }
    Ok(())
}

/// Commits until a commit takes long, and ends with that one.
async fn probe(server: &OwnServer) -> tokio::task::JoinHandle<()> {
    let mut conn = connect_to(&server.url()).await;
    tokio::spawn(async move {
        let mut took = Duration::ZERO;
        while took < Duration::from_millis(500) {
            let started = std::time::Instant::now();
            execute(
                &mut conn,
                "SELECT pg_logical_emit_message(true, 'probe', 'probe')",
            )
            .await;
            took = started.elapsed();
        }
    })
}
