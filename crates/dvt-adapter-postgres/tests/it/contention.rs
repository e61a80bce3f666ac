//! CASES B 17: losing a race is answered by trying again, for a while.

use dvt_conformance::fixture::{LEASE, claim_all, metadata, note, notes, policy, run};
use dvt_contracts::{
    Acknowledgement, AppendRequest, BootstrapRequest, ErrorClass, Lease, OutboxStorage as _,
    OutboxStorageExt as _, RunStateStore as _, SafeText,
};

use crate::ground::{Ground, becomes_true};
use crate::server::{connect, execute};
use crate::trial::{Outcome, trials};

trials![
    b17_a_deadlock_is_retried,
    b17_a_lost_race_is_retried_a_few_times_at_every_statement,
    b17_a_race_that_is_lost_again_and_again_is_transient,
];

/// Somebody locks two heads the wrong way round; the append is the one that the server sacrifices, and nobody notices.
async fn b17_a_deadlock_is_retried() -> Outcome {
    let ground = Ground::new().await;
    let (first, second) = (ground.bootstrap("a").await, ground.bootstrap("b").await);
    let mut wrong = ground.connection().await;
    execute(&mut wrong, "SET deadlock_timeout = '1min'; BEGIN").await;
    execute(
        &mut wrong,
        "SELECT FROM outbox WHERE run_id = 'b' FOR UPDATE",
    )
    .await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut wrong)
        .await?;
    let before = deadlocks().await;

    let store = ground.store.clone();
    let requests = [&first, &second].map(|run| AppendRequest::new(run.clone(), vec![note("both")]));
    let append = tokio::spawn(async move { store.append_batch(&requests).await });
    let mut observer = connect().await;
    let waits = becomes_true(async || {
        let blocked =
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
        sqlx::query_scalar(blocked)
            .bind(pid)
            .fetch_one(&mut observer)
            .await
            .unwrap()
    });
    assert!(waits.await, "the append does not wait");
    // Closes the circle, and goes on when the server has broken it.
    execute(
        &mut wrong,
        "SELECT FROM outbox WHERE run_id = 'a' FOR UPDATE",
    )
    .await;
    execute(&mut wrong, "COMMIT").await;

    for reply in append.await?? {
        assert_eq!(reply?.head, 1);
    }
    assert!(
        becomes_true(async || deadlocks().await > before).await,
        "there was no deadlock"
    );
    Ok(())
}

async fn deadlocks() -> i64 {
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(sql)
        .fetch_one(&mut connect().await)
        .await
        .unwrap()
}

/// Every write of a head fails with this state, so many times.
async fn sabotage(ground: &Ground, state: &str, times: i64) {
    let failing = format!(
        "CREATE SEQUENCE IF NOT EXISTS failures;
         ALTER SEQUENCE failures RESTART;
         CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('failures') <= {times} THEN RAISE EXCEPTION USING ERRCODE = '{state}'; END IF;
             RETURN NULL;
         END $$;
         CREATE OR REPLACE TRIGGER sabotage BEFORE INSERT OR UPDATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION fail()"
    );
    execute(&mut ground.connection().await, failing).await;
}

async fn heads(ground: &Ground) -> Vec<String> {
    let sql = "SELECT o::text FROM outbox AS o ORDER BY run_id";
    sqlx::query_scalar(sql)
        .fetch_all(&mut ground.connection().await)
        .await
        .unwrap()
}

/// Six runs with three events: the first three are leased.
async fn six_runs(ground: &Ground) -> Result<Vec<Lease>, Box<dyn std::error::Error + Send + Sync>> {
    for number in 1..=6 {
        let run = ground.bootstrap(&format!("run-{number}")).await;
        ground.append(&run, notes(1, 3)).await?;
    }
    let claimed = ground
        .store
        .claim(&dvt_contracts::ClaimRequest {
            max_runs: 4,
            ..claim_all()
        })
        .await?;
    assert_eq!(claimed.len(), 4);
    Ok(claimed.into_iter().map(|run| run.lease).collect())
}

async fn b17_a_lost_race_is_retried_a_few_times_at_every_statement() -> Outcome {
    let ground = Ground::new().await;
    let leases = six_runs(&ground).await?;
    let store = &ground.store;
    let bootstrap = BootstrapRequest {
        run: run("new"),
        metadata: metadata(),
        events: notes(1, 1),
    };

    for state in ["40001", "40P01"] {
        sabotage(&ground, state, 3).await;
        let append = AppendRequest::new(run("run-6"), vec![note(state)]);
        assert!(
            !store.append_batch(&[append]).await?[0]
                .as_ref()
                .unwrap()
                .events[0]
                .is_duplicate()
        );
    }
    sabotage(&ground, "40001", 3).await;
    assert!(store.bootstrap_run(&bootstrap).await?.created);
    sabotage(&ground, "40001", 3).await;
    assert_eq!(store.claim(&claim_all()).await?.len(), 3);
    sabotage(&ground, "40001", 3).await;
    let extended = store.extend_one(&leases[0], LEASE).await?;
    sabotage(&ground, "40001", 3).await;
    store.acknowledge(&extended, 3).await?;
    sabotage(&ground, "40001", 3).await;
    store
        .mark_failed(&leases[1], 1, &SafeText::new("no"), &policy(3))
        .await?;
    sabotage(&ground, "40001", 3).await;
    store.release_one(&leases[2]).await?;
    Ok(())
}

async fn b17_a_race_that_is_lost_again_and_again_is_transient() -> Outcome {
    let ground = Ground::new().await;
    let leases = six_runs(&ground).await?;
    let store = &ground.store;
    let bootstrap = BootstrapRequest {
        run: run("new"),
        metadata: metadata(),
        events: notes(1, 1),
    };
    let append = [AppendRequest::new(run("run-6"), vec![note("more")])];
    let (claim, error, policy) = (claim_all(), SafeText::new("no"), policy(3));
    let delivered = [Acknowledgement {
        lease: leases[2].clone(),
        through: 3,
    }];
    let before = heads(&ground).await;

    sabotage(&ground, "40001", i64::MAX).await;
    let (bootstrapped, appended, claimed, extended, acknowledged, failed, released) = tokio::join!(
        store.bootstrap_run(&bootstrap),
        store.append_batch(&append),
        store.claim(&claim),
        store.extend(&leases[..1], LEASE),
        store.mark_delivered(&delivered),
        store.mark_failed(&leases[1], 1, &error, &policy),
        store.release(&leases[3..]),
    );

    let classes = [
        bootstrapped.unwrap_err().class(),
        appended.unwrap_err().class(),
        claimed.unwrap_err().class(),
        extended.unwrap_err().class(),
        acknowledged.unwrap_err().class(),
        failed.unwrap_err().class(),
        released.unwrap_err().class(),
    ];
    assert_eq!(classes, [ErrorClass::Transient; 7]);
    assert_eq!(heads(&ground).await, before);
    assert_eq!(ground.log(&run("run-6")).await, [1, 2, 3]);
    // It was tried more than once, and not for ever.
    let tried: i64 = sqlx::query_scalar("SELECT last_value FROM failures")
        .fetch_one(&mut ground.connection().await)
        .await?;
    assert!((7 * 8..=7 * 64).contains(&tried), "{tried} tries");
    Ok(())
}
