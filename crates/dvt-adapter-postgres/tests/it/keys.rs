//! Idempotency on a real server.

use std::sync::Arc;

use dvt_adapter_postgres::{PostgresStore, migrate};
use dvt_conformance::fixture::{note, notes, run};
use dvt_conformance::{CASES, Harness, async_trait, evaluate};
use dvt_contracts::{
    AppendOutcome, AppendRequest, BoxError, ErrorClass, RunEvent, RunStateStore as _,
    RunStateStoreExt as _, Store,
};
use sqlx::Executor as _;
use tokio::sync::Barrier;

use crate::ground::{Ground, bootstrap};
use crate::migrations::quietly;
use crate::round_trips::Tapped;
use crate::server::{TestDatabase, TestSchema, connect};
use crate::trial::{Outcome, trials};

trials![
    a4_sixty_four_clients_with_one_key_store_one_event,
    a7_retries_after_lost_replies_get_the_same_event_for_ever,
    a_replay_waits_for_nobody,
    one_known_key_among_many_new_ones_costs_nobody_an_event,
    a11_a_linguistic_collation_of_the_database_changes_nothing,
    a11_every_key_column_is_compared_as_bytes,
];

/// CASES A 4: of 64 clients that start at once with one key, one inserts and 63 get its event; no number is burnt.
async fn a4_sixty_four_clients_with_one_key_store_one_event() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let mut stores = vec![ground.store.clone()];
    for _ in 0..3 {
        stores.push(PostgresStore::connect(ground.schema.settings()).await?);
    }
    let barrier = Arc::new(Barrier::new(64));

    let clients: Vec<_> = (0..64)
        .map(|client| {
            let (store, barrier) = (stores[client % 4].clone(), Arc::clone(&barrier));
            let request = AppendRequest::new(run.clone(), vec![note("same")]);
            tokio::spawn(async move {
                barrier.wait().await;
                store.append_and_enqueue(request).await
            })
        })
        .collect();
    let mut outcomes: Vec<AppendOutcome> = Vec::new();
    for client in clients {
        outcomes.push(client.await??);
    }

    let inserts = outcomes
        .iter()
        .filter(|outcome| !outcome.events[0].is_duplicate());
    assert_eq!(inserts.count(), 1);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.events[0].stored == outcomes[0].events[0].stored)
    );
    assert_eq!(
        ground.append(&run, vec![note("next")]).await?.events[0]
            .stored
            .run_seq,
        2
    );
    assert_eq!(ground.log(&run).await, [1, 2]);
    Ok(())
}

/// CASES A 7: the commit happens, its reply gets lost, again and again; the retry that is answered tells the first event.
async fn a7_retries_after_lost_replies_get_the_same_event_for_ever() -> Outcome {
    let Some(tapped) = Tapped::open().await? else {
        return Ok(());
    };
    let run = run("run");
    bootstrap(&tapped.store, &run).await;
    let request = AppendRequest::new(run.clone(), vec![note("one"), note("two")]);

    for _ in 0..3 {
        // A connection that is there: its first replies are about itself.
        tapped.store.get_run(&run).await?;
        tapped.tap.lose_replies(1);
        let lost = tapped.store.append_and_enqueue(request.clone()).await;
        assert_eq!(lost.unwrap_err().class(), ErrorClass::Unknown);
    }
    let first = tapped.store.append_and_enqueue(request.clone()).await?;
    let again = tapped.store.append_and_enqueue(request).await?;

    assert!(first.events.iter().all(|event| event.is_duplicate()));
    assert_eq!(first, again);
    assert_eq!(first.head, 2);
    let ids: Vec<_> = first
        .events
        .iter()
        .map(|event| event.stored.event_id(&run))
        .collect();
    let ids_again: Vec<_> = again
        .events
        .iter()
        .map(|event| event.stored.event_id(&run))
        .collect();
    assert_eq!(ids, ids_again);
    Ok(())
}

/// A database of one's own.
struct Elsewhere {
    url: String,
}

#[async_trait]
impl Harness for Elsewhere {
    type Space = TestSchema;

    async fn create(&self) -> Result<TestSchema, BoxError> {
        let schema = TestSchema::create();
        migrate(&schema.settings_by(&self.url), &mut |_| ()).await?;
        Ok(schema)
    }

    async fn open(&self, space: &TestSchema) -> Result<Arc<dyn Store>, BoxError> {
        let settings = space.settings_by(&self.url);
        Ok(Arc::new(PostgresStore::connect(settings).await?))
    }

    async fn shift_clock(&self, _: &TestSchema, _: i64) -> Result<(), BoxError> {
        Err("no case that is played here moves the clock".into())
    }
}

/// CASES A 10, A 11: keys, identifiers and their order are the same where the database would sort by language.
async fn a11_a_linguistic_collation_of_the_database_changes_nothing() -> Outcome {
    let mut conn = connect().await;
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut conn)
        .await?;
    let icu: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'")
        .fetch_one(&mut conn)
        .await?;
    if version < 150_000 || icu == 0 {
        println!("left out: a database with an ICU collation needs PostgreSQL 15 built with ICU");
        return Ok(());
    }
    let database = TestDatabase::create_with(
        "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    .await;
    let mut there = crate::server::connect_to(&database.url()).await;
    let by_language: bool =
        sqlx::query_scalar("SELECT 'b'::text > 'A'::text AND 'a'::text < 'B'::text")
            .fetch_one(&mut there)
            .await?;
    assert!(by_language, "the database sorts by bytes");

    let harness = Arc::new(Elsewhere {
        url: database.url(),
    });
    let cases = CASES.iter().filter(|case| {
        ["idempotency::", "tenancy::"]
            .iter()
            .any(|family| case.name.starts_with(family))
            || case.name.contains("order")
            || case.name.contains("bytes")
    });
    let mut played = 0;
    for case in cases {
        let evaluated = evaluate(Arc::clone(&harness), case).await;
        if let Err(failure) = evaluated {
            // A case that moves the clock says nothing about collations.
            let clock = failure.to_string().contains("moves the clock");
            assert!(clock, "{}: {failure}", case.name);
            continue;
        }
        played += 1;
    }
    assert!(played > 12, "{played} cases");
    drop(there);
    Ok(())
}

/// Where no standby is waited for, what can be seen is as durable as it will be.
async fn a_replay_waits_for_nobody() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    let first = ground.append(&run, notes(1, 3)).await?;
    // The first repetition finds out that keys are known.
    ground.append(&run, notes(1, 3)).await?;
    let mut other = ground.connection().await;
    other
        .execute("BEGIN; SELECT FROM outbox FOR UPDATE")
        .await?;

    let again = ground.append(&run, notes(1, 3)).await?;

    let stored = |outcome: &AppendOutcome| -> Vec<RunEvent> {
        let events = outcome.events.iter();
        events.map(|event| event.stored.clone()).collect()
    };
    assert_eq!(stored(&again), stored(&first));
    assert_eq!(again.head, 3);
    assert!(again.events.iter().all(|event| event.is_duplicate()));
    other.execute("ROLLBACK").await?;
    Ok(())
}

/// Requests that go together, of which one is a repetition: the statement that looks for no keys is refused, and nothing of it
/// is there twice or missing.
async fn one_known_key_among_many_new_ones_costs_nobody_an_event() -> Outcome {
    let ground = Ground::new().await;
    let mut runs = Vec::new();
    for number in 0..20 {
        runs.push(ground.bootstrap(&format!("run-{number:02}")).await);
    }
    ground.append(&runs[7], notes(1, 2)).await?;
    // One store that has never met a known key, and one that has.
    for round in 0..2 {
        let first = 3 * round + 3;
        let requests: Vec<AppendRequest> = runs
            .iter()
            .enumerate()
            .map(|(number, run)| match number {
                7 => AppendRequest::new(run.clone(), notes(1, first)),
                _ => AppendRequest::new(run.clone(), notes(first - 2, first)),
            })
            .collect();

        let replies = ground.store.append_batch(&requests).await?;

        for (number, reply) in replies.into_iter().enumerate() {
            let reply = reply?;
            let new = reply.events.iter().filter(|event| !event.is_duplicate());
            assert_eq!(reply.head, first as u64, "run {number}");
            assert_eq!(new.count(), if number == 7 && round == 0 { 1 } else { 3 });
        }
    }
    for run in &runs {
        assert_eq!(ground.log(run).await, [1, 2, 3, 4, 5, 6]);
    }
    Ok(())
}

/// CASES A 11: by catalogue.
async fn a11_every_key_column_is_compared_as_bytes() -> Outcome {
    let schema = TestSchema::create();
    quietly(&schema.settings()).await?;
    let other = "
        SELECT c.relname || '.' || a.attname
        FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indrelid
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE c.relnamespace = $1::regnamespace AND a.attcollation <> 0
          AND a.attcollation <> 'pg_catalog.\"C\"'::regcollation";
    let mut conn = connect().await;

    let linguistic: Vec<String> = sqlx::query_scalar(other)
        .bind(schema.name().as_str())
        .fetch_all(&mut conn)
        .await?;
    assert_eq!(linguistic, Vec::<String>::new());

    // The look itself sees something where there is something.
    let name = schema.name();
    conn.execute(sqlx::AssertSqlSafe(format!(
        "CREATE TABLE {name}.other (name text PRIMARY KEY)"
    )))
    .await?;
    let linguistic: Vec<String> = sqlx::query_scalar(other)
        .bind(name.as_str())
        .fetch_all(&mut conn)
        .await?;
    assert_eq!(linguistic, ["other.name"]);
    Ok(())
}
