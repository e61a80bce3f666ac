//! CASES M 111: when there is not enough of something, calls fail for now, write nothing by halves, and work again later.

use std::time::Duration;

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{claim_all, note, notes, run};
use dvt_contracts::{
    AppendRequest, ErrorClass, OutboxStorage as _, RunStateStore as _, RunStateStoreExt as _,
};

use crate::ground::{Ground, bootstrap};
use crate::migrations::quietly;
use crate::server::{TestRole, TestSchema, connect, execute, url_with};
use crate::trial::{Outcome, trials};

trials![
    m111_too_few_connections_on_the_server,
    m111_too_few_connections_in_the_pool,
    m111_a_lock_that_takes_too_long,
    m111_a_statement_that_takes_too_long,
    m111_hardly_any_memory_to_work_with,
];

async fn m111_too_few_connections_on_the_server() -> Outcome {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    let (name, owner) = (schema.name(), &role.name);
    execute(
        &mut connect().await,
        format!("CREATE SCHEMA {name} AUTHORIZATION {owner}"),
    )
    .await;
    let settings = schema.settings_by(&role.url()).with_max_connections(4)?;
    quietly(&settings).await?;
    execute(
        &mut connect().await,
        format!("ALTER ROLE {owner} CONNECTION LIMIT 1"),
    )
    .await;
    let store = PostgresStore::connect(settings).await?;
    bootstrap(&store, &run("run")).await;
    // Somebody keeps the one connection busy, so that the calls want more.
    let mut holder = connect().await;
    execute(
        &mut holder,
        format!("BEGIN; SELECT FROM {name}.outbox FOR UPDATE"),
    )
    .await;

    let open: Vec<_> = (0..8)
        .map(|number| {
            let (store, event) = (store.clone(), note(&format!("k{number}")));
            tokio::spawn(async move {
                store
                    .append_and_enqueue(AppendRequest::new(run("run"), vec![event]))
                    .await
            })
        })
        .collect();
    let mut refused = 0;
    let mut ended = 0;
    while refused == 0 {
        tokio::task::yield_now().await;
        refused = open.iter().filter(|call| call.is_finished()).count();
    }
    execute(&mut holder, "COMMIT").await;
    for call in open {
        match call.await? {
            Ok(_) => ended += 1,
            Err(error) => assert_eq!(error.class(), ErrorClass::Transient, "{error}"),
        }
    }

    assert!((1..8).contains(&ended), "{ended} of 8");
    let head = store.get_run(&run("run")).await?.head;
    assert_eq!(head, ended);
    for number in 0..8 {
        let request = AppendRequest::new(run("run"), vec![note(&format!("k{number}"))]);
        store.append_and_enqueue(request).await?;
    }
    assert_eq!(store.get_run(&run("run")).await?.head, 8);
    store.close();
    Ok(())
}

/// A store with little patience, whose run is locked by somebody else.
async fn impatient(connections: u32, deadline: u64, timeout: u64) -> (Ground, sqlx::PgConnection) {
    let ground = Ground::with(|settings| {
        let settings = settings.with_max_connections(connections).unwrap();
        settings
            .with_timeouts(
                Duration::from_millis(deadline),
                Duration::from_millis(timeout),
            )
            .unwrap()
    })
    .await;
    ground.bootstrap("locked").await;
    ground.bootstrap("free").await;
    let mut holder = ground.connection().await;
    execute(
        &mut holder,
        "BEGIN; SELECT FROM outbox WHERE run_id = 'locked' FOR UPDATE",
    )
    .await;
    (ground, holder)
}

async fn m111_too_few_connections_in_the_pool() -> Outcome {
    let (ground, mut holder) = impatient(1, 1_500, 1_400).await;
    let store = ground.store.clone();
    let locked = |key: &str| AppendRequest::new(run("locked"), vec![note(key)]);
    let free = run("free");

    // They take the one connection in this order: the first until the lock's time-out, the second until its own deadline.
    let (first, second, third, fourth) = tokio::join!(
        store.append_and_enqueue(locked("k1")),
        store.append_and_enqueue(locked("k2")),
        store.append_and_enqueue(locked("k3")),
        store.get_run(&free),
    );
    execute(&mut holder, "COMMIT").await;

    assert_eq!(first.unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(second.unwrap_err().class(), ErrorClass::Unknown);
    for unserved in [third.unwrap_err(), fourth.unwrap_err()] {
        assert_eq!(unserved.class(), ErrorClass::Transient);
        let cause = std::error::Error::source(&unserved).unwrap().to_string();
        assert!(cause.contains("no connection was ready"), "{cause}");
    }
    assert_eq!(store.get_run(&free).await?.head, 0);
    ground.append(&run("locked"), notes(1, 3)).await?;
    assert_eq!(ground.log(&run("locked")).await, [1, 2, 3]);
    Ok(())
}

async fn m111_a_lock_that_takes_too_long() -> Outcome {
    let (ground, mut holder) = impatient(2, 5_000, 200).await;

    let hot = ground.append(&run("locked"), vec![note("k1")]).await;
    let cold = ground.append(&run("free"), vec![note("k1")]).await;

    assert_eq!(hot.unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(cold?.head, 1);
    execute(&mut holder, "COMMIT").await;
    assert_eq!(
        ground.append(&run("locked"), vec![note("k1")]).await?.head,
        1
    );
    Ok(())
}

async fn m111_a_statement_that_takes_too_long() -> Outcome {
    let (ground, mut holder) = impatient(1, 5_000, 200).await;
    execute(
        &mut holder,
        "ROLLBACK;
         CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON run_events FOR EACH STATEMENT EXECUTE FUNCTION dawdle()",
    )
    .await;

    let slow = ground.append(&run("free"), notes(1, 3)).await;

    assert_eq!(slow.unwrap_err().class(), ErrorClass::Transient);
    execute(&mut holder, "DROP TRIGGER slow ON run_events").await;
    assert_eq!(ground.log(&run("free")).await, Vec::<u64>::new());
    assert_eq!(ground.append(&run("free"), notes(1, 3)).await?.head, 3);
    Ok(())
}

async fn m111_hardly_any_memory_to_work_with() -> Outcome {
    let ground = Ground::new().await;
    let url = url_with(|url| {
        url.query_pairs_mut()
            .append_pair("options[work_mem]", "64kB");
    });
    let store = PostgresStore::connect(ground.schema.settings_by(&url)).await?;
    let mut conn = ground.schema.settings_by(&url).store_connection().await?;
    let work_mem: String = sqlx::query_scalar("SHOW work_mem")
        .fetch_one(&mut conn)
        .await?;
    assert_eq!(work_mem, "64kB");
    let run = ground.bootstrap("run").await;

    let request = AppendRequest::new(run.clone(), notes(1, 1_000));
    let first = store.append_and_enqueue(request.clone()).await?;
    let again = store.append_and_enqueue(request).await?;
    let claimed = store.claim(&claim_all()).await?;

    assert_eq!((first.head, again.head), (1_000, 1_000));
    assert!(again.events.iter().all(|event| event.is_duplicate()));
    assert_eq!(claimed[0].events.len(), 1_000);
    Ok(())
}
