//! Operations that take too long: the server's limit is an answer, the client's is none.

use std::time::{Duration, Instant};

use dvt_conformance::fixture::note;
use dvt_contracts::{ErrorClass, RunStateStore as _, RunStateStoreExt as _};
use sqlx::PgConnection;

use crate::server::{connect, execute, random_name};
use crate::stage::{assert_consistent, bootstrap, hold, migrated, open, request, url_named};
use crate::trial::{Outcome, trials};

trials![
    a_lock_that_is_not_to_be_had_is_transient,
    a_statement_that_takes_too_long_is_transient,
    the_clients_deadline_leaves_the_outcome_unknown,
];

/// The sessions of that name, by their process numbers.
async fn sessions(conn: &mut PgConnection, name: &str) -> Vec<i32> {
    let pids = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY pid";
    let pids = sqlx::query_scalar(pids).bind(name);
    pids.fetch_all(conn).await.unwrap()
}

async fn a_lock_that_is_not_to_be_had_is_transient() -> Outcome {
    let (schema, name) = (migrated().await, random_name());
    let settings = schema.settings_by(&url_named(&name));
    let settings = settings.with_timeouts(Duration::from_secs(5), Duration::from_millis(250))?;
    let store = open(settings.with_max_connections(1)?).await;
    let runs = bootstrap(&store, &["run"]).await;
    let mut conn = connect().await;
    let before = sessions(&mut conn, &name).await;
    let holder = hold(schema.name(), &runs).await;

    let begun = Instant::now();
    let error = store
        .append_and_enqueue(request(&runs[0], note("k1")))
        .await
        .unwrap_err();

    assert_eq!(error.class(), ErrorClass::Transient, "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    drop(holder);
    let reply = store
        .append_and_enqueue(request(&runs[0], note("k2")))
        .await?;
    assert_eq!(reply.head, 1);
    // An answer is no reason to part with a session.
    assert_eq!(sessions(&mut conn, &name).await, before);
    Ok(())
}

async fn a_statement_that_takes_too_long_is_transient() -> Outcome {
    let (schema, name) = (migrated().await, random_name());
    let settings = schema.settings_by(&url_named(&name));
    let settings = settings.with_timeouts(Duration::from_secs(5), Duration::from_millis(250))?;
    let store = open(settings.with_max_connections(1)?).await;
    let runs = bootstrap(&store, &["run"]).await;
    let mut conn = connect().await;
    let before = sessions(&mut conn, &name).await;
    let ours = schema.name();
    execute(&mut conn, format!(
        "CREATE FUNCTION {ours}.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'; \
         CREATE TRIGGER wait BEFORE INSERT ON {ours}.run_events FOR EACH STATEMENT EXECUTE FUNCTION {ours}.wait()"
    ))
    .await;

    let begun = Instant::now();
    let error = store
        .append_and_enqueue(request(&runs[0], note("k1")))
        .await
        .unwrap_err();

    assert_eq!(error.class(), ErrorClass::Transient, "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    execute(&mut conn, format!("DROP TRIGGER wait ON {ours}.run_events")).await;
    let reply = store
        .append_and_enqueue(request(&runs[0], note("k2")))
        .await?;
    assert_eq!(reply.head, 1);
    assert_eq!(sessions(&mut conn, &name).await, before);
    Ok(())
}

async fn the_clients_deadline_leaves_the_outcome_unknown() -> Outcome {
    let schema = migrated().await;
    // The second one gets the only connection when the server has given up the first, and has no time left then for the
    // server to give it up too.
    let (deadline, statement) = (Duration::from_millis(1_200), Duration::from_millis(1_000));
    let settings = schema.settings().with_timeouts(deadline, statement)?;
    let store = open(settings.with_max_connections(1)?).await;
    let runs = bootstrap(&store, &["run"]).await;
    let holder = hold(schema.name(), &runs).await;

    let begun = Instant::now();
    let (first, second) = tokio::join!(
        store.append_and_enqueue(request(&runs[0], note("k1"))),
        store.append_and_enqueue(request(&runs[0], note("k2")))
    );

    let errors = [first.unwrap_err(), second.unwrap_err()];
    let classes = [errors[0].class(), errors[1].class()];
    assert_eq!(
        classes,
        [ErrorClass::Transient, ErrorClass::Unknown],
        "{errors:?}"
    );
    assert!(
        begun.elapsed() < deadline + Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    drop(holder);
    // Whatever became of it, the same call again has its effect once.
    store
        .append_and_enqueue(request(&runs[0], note("k2")))
        .await?;
    let log = store.list_events(&runs[0], 0, 10).await?;
    assert_eq!((log.head, log.events.len()), (1, 1));
    assert_eq!(log.events[0].event, note("k2"));
    assert_consistent(&mut connect().await, schema.name()).await;
    Ok(())
}
