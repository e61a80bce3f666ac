//! Appending within the caller's own transaction, on the caller's own connection.

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{claim_all, note, notes, run, seqs};
use dvt_contracts::{
    AppendError, AppendRequest, ConflictPolicy, Disposition, ErrorClass, Expected,
    OutboxStorage as _, Payload, RunStateStore as _,
};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};

use crate::ground::{Ground, becomes_true, bootstrap};
use crate::server::{TestSchema, connect, execute, url};
use crate::trial::{Outcome, trials};

trials!(
    business_rows_and_events_commit_together,
    a_rollback_leaves_nothing_and_no_gap,
    the_callers_settings_are_back_and_its_tables_untouched,
    a_refused_request_leaves_the_transaction_usable,
    duplicates_are_answered,
    several_runs_go_in_one_call,
    the_second_of_two_transactions_waits_and_goes_on,
    a_lost_race_under_repeatable_read_is_transient,
    a_failed_transaction_is_an_error,
);

/// A caller with a schema of its own, in which a table is called `outbox` and another `run_events`.
struct Caller {
    schema: TestSchema,
    pool: PgPool,
}

impl Caller {
    async fn new() -> Self {
        let schema = TestSchema::create();
        let name = schema.name().clone();
        execute(
            &mut connect().await,
            format!(
                "CREATE SCHEMA {name}; CREATE TABLE {name}.outbox (mine text); \
                 CREATE TABLE {name}.run_events (mine text); CREATE TABLE {name}.orders (id bigint)"
            ),
        )
        .await;
        let path = format!("SET search_path = {name}");
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .after_connect(move |connection, _| {
                let path = path.clone();
                Box::pin(async move {
                    connection.execute(AssertSqlSafe(path)).await?;
                    Ok(())
                })
            })
            .connect(&url())
            .await
            .unwrap();
        Self { schema, pool }
    }

    async fn orders(&self) -> i64 {
        count(&mut self.pool.acquire().await.unwrap(), "orders").await
    }
}

async fn count(connection: &mut PgConnection, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let row = connection.fetch_one(AssertSqlSafe(sql)).await;
    row.unwrap().get(0)
}

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    let sql = format!("SHOW {name}");
    let row = connection.fetch_one(AssertSqlSafe(sql)).await;
    row.unwrap().get(0)
}

async fn waits_for_a_lock(connection: &mut PgConnection, pid: i32) -> bool {
    let sql = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1";
    let waits = sqlx::query_scalar::<_, Option<bool>>(sql).bind(pid);
    waits.fetch_one(connection).await.unwrap() == Some(true)
}

/// A request without conditions for the run of the test.
fn request(keys: &[&str]) -> [AppendRequest; 1] {
    let events = keys.iter().map(|key| note(key)).collect();
    [AppendRequest::new(run("a"), events)]
}

async fn ground() -> (Ground, Caller) {
    let ground = Ground::new().await;
    ground.bootstrap("a").await;
    (ground, Caller::new().await)
}

async fn log(store: &PostgresStore) -> Vec<u64> {
    seqs(&store.list_events(&run("a"), 0, 1_000).await.unwrap().events)
}

async fn business_rows_and_events_commit_together() -> Outcome {
    let (ground, caller) = ground().await;

    let mut transaction = caller.pool.begin().await?;
    transaction.execute("INSERT INTO orders VALUES (1)").await?;
    let replies = ground
        .store
        .append_in(&mut transaction, &request(&["x", "y"]))
        .await?;
    transaction.execute("INSERT INTO orders VALUES (2)").await?;
    let before = (log(&ground.store).await, caller.orders().await);
    transaction.commit().await?;

    let outcome = replies[0].as_ref().unwrap();
    assert_eq!(outcome.head, 2);
    let stored = outcome.events.iter().map(|event| event.stored.clone());
    assert_eq!(before, (vec![], 0));
    assert_eq!(caller.orders().await, 2);
    let page = ground.store.list_events(&run("a"), 0, 10).await?;
    assert_eq!(page.events, stored.collect::<Vec<_>>());
    let claimed = ground.store.claim(&claim_all()).await?;
    assert_eq!(claimed[0].events, page.events);
    Ok(())
}

/// CASES C 31.
async fn a_rollback_leaves_nothing_and_no_gap() -> Outcome {
    let (ground, caller) = ground().await;

    let mut transaction = caller.pool.begin().await?;
    transaction.execute("INSERT INTO orders VALUES (1)").await?;
    ground
        .store
        .append_in(&mut transaction, &request(&["x", "y"]))
        .await?;
    transaction.rollback().await?;

    assert_eq!(log(&ground.store).await, [] as [u64; 0]);
    assert_eq!(caller.orders().await, 0);
    assert_eq!(ground.store.claim(&claim_all()).await?, []);
    let next = ground.append(&run("a"), notes(1, 1)).await?;
    assert_eq!(next.events[0].stored.run_seq, 1);
    Ok(())
}

async fn the_callers_settings_are_back_and_its_tables_untouched() -> Outcome {
    let (ground, caller) = ground().await;
    let names = ["search_path", "enable_seqscan", "plan_cache_mode"];

    let mut transaction = caller.pool.begin().await?;
    transaction
        .execute("SET LOCAL plan_cache_mode = force_custom_plan")
        .await?;
    ground
        .store
        .append_in(&mut transaction, &request(&["x"]))
        .await?;
    let mut within = Vec::new();
    for name in names {
        within.push(setting(&mut transaction, name).await);
    }
    let decoys = (
        count(&mut transaction, "outbox").await,
        count(&mut transaction, "run_events").await,
    );
    transaction.commit().await?;
    let mut connection = caller.pool.acquire().await?;
    let path = setting(&mut connection, "search_path").await;

    let own = caller.schema.name().to_string();
    assert_eq!(within, [own.as_str(), "on", "force_custom_plan"]);
    assert_eq!(path, own);
    assert_eq!(decoys, (0, 0));
    assert_eq!(log(&ground.store).await, [1]);
    Ok(())
}

async fn a_refused_request_leaves_the_transaction_usable() -> Outcome {
    let (ground, caller) = ground().await;
    ground.append(&run("a"), vec![note("x")]).await?;
    let other = note("x").with_payload(Payload::new("1")?);

    let mut transaction = caller.pool.begin().await?;
    let conflict = AppendRequest::new(run("a"), notes(1, 1)).expecting(Expected::At(7));
    let taken = AppendRequest::new(run("a"), vec![other]).on_conflict(ConflictPolicy::Reject);
    let missing = AppendRequest::new(run("nowhere"), notes(1, 1));
    let good = AppendRequest::new(run("a"), vec![note("y")]);
    let replies = ground
        .store
        .append_in(&mut transaction, &[conflict, taken, missing, good])
        .await?;
    transaction.execute("INSERT INTO orders VALUES (1)").await?;
    transaction.commit().await?;

    let refusals = [&replies[0], &replies[1], &replies[2]].map(|reply| reply.as_ref().unwrap_err());
    assert!(
        matches!(
            refusals,
            [
                AppendError::VersionConflict {
                    expected: 7,
                    actual: 1,
                    ..
                },
                AppendError::IdempotencyConflict {
                    stored: Some(_),
                    ..
                },
                AppendError::RunNotFound { .. },
            ]
        ),
        "{refusals:?}"
    );
    assert_eq!(replies[3].as_ref().unwrap().head, 2);
    assert_eq!(log(&ground.store).await, [1, 2]);
    assert_eq!(caller.orders().await, 1);
    Ok(())
}

async fn duplicates_are_answered() -> Outcome {
    let (ground, caller) = ground().await;
    let first = ground.append(&run("a"), vec![note("x")]).await?;

    let mut transaction = caller.pool.begin().await?;
    let replies = ground
        .store
        .append_in(&mut transaction, &request(&["x", "y", "y"]))
        .await?;
    transaction.commit().await?;

    let events = &replies[0].as_ref().unwrap().events;
    let same = Disposition::Duplicate { same_content: true };
    let dispositions = events.iter().map(|event| event.disposition);
    assert!(dispositions.eq([same, Disposition::Appended, same]));
    assert_eq!(events[0].stored, first.events[0].stored);
    assert_eq!(events[1].stored, events[2].stored);
    assert_eq!(log(&ground.store).await, [1, 2]);
    Ok(())
}

async fn several_runs_go_in_one_call() -> Outcome {
    let (ground, caller) = ground().await;
    bootstrap(&ground.store, &run("b")).await;

    let mut transaction = caller.pool.begin().await?;
    let requests = ["b", "a", "b"].map(|id| AppendRequest::new(run(id), vec![note(id), note("n")]));
    let replies = ground.store.append_in(&mut transaction, &requests).await?;
    transaction.commit().await?;

    let heads = replies.iter().map(|reply| reply.as_ref().unwrap().head);
    assert!(heads.eq([2, 2, 2]));
    assert_eq!(ground.log(&run("a")).await, [1, 2]);
    assert_eq!(ground.log(&run("b")).await, [1, 2]);
    Ok(())
}

async fn the_second_of_two_transactions_waits_and_goes_on() -> Outcome {
    let (ground, caller) = ground().await;

    let mut first = caller.pool.begin().await?;
    let mut second = caller.pool.begin().await?;
    ground.store.append_in(&mut first, &request(&["x"])).await?;
    let sql = "SELECT pg_backend_pid()";
    let waiter: i32 = second.fetch_one(sql).await?.get(0);
    let mut observer = connect().await;
    let (store, requests) = (ground.store.clone(), request(&["x", "y"]));
    let (replies, committed) = tokio::join!(
        async { store.append_in(&mut second, &requests).await },
        async {
            let waits = becomes_true(async || waits_for_a_lock(&mut observer, waiter).await).await;
            assert!(waits, "the second transaction never waited");
            first.commit().await
        },
    );
    committed?;
    second.commit().await?;

    let events = replies?.remove(0)?.events;
    assert_eq!(
        events[0].disposition,
        Disposition::Duplicate { same_content: true }
    );
    assert_eq!(events[1].stored.run_seq, 2);
    assert_eq!(log(&ground.store).await, [1, 2]);
    Ok(())
}

async fn a_lost_race_under_repeatable_read_is_transient() -> Outcome {
    let (ground, caller) = ground().await;

    let mut connection = caller.pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    transaction
        .execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    // The snapshot is taken here.
    count(&mut transaction, "orders").await;
    ground.append(&run("a"), vec![note("faster")]).await?;
    let lost = ground
        .store
        .append_in(&mut transaction, &request(&["x"]))
        .await;
    transaction.rollback().await?;

    assert_eq!(lost.unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(log(&ground.store).await, [1]);
    Ok(())
}

async fn a_failed_transaction_is_an_error() -> Outcome {
    let (ground, caller) = ground().await;

    let mut transaction = caller.pool.begin().await?;
    assert!(transaction.execute("SELECT 1 / 0").await.is_err());
    let refused = ground
        .store
        .append_in(&mut transaction, &request(&["x"]))
        .await;
    // The server answers a COMMIT of a failed transaction with a rollback, and says so in the tag only.
    transaction.commit().await?;

    assert_eq!(refused.unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(log(&ground.store).await, [] as [u64; 0]);
    Ok(())
}
