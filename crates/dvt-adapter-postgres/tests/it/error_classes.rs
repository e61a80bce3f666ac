//! What a caller is told when the server refuses, by SQLSTATE, and that the store goes on as soon as the server does.

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{claim_all, metadata, note, notes, policy, run};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, ErrorClass, Lease, OutboxStorage as _, OutboxStorageExt as _,
    RunStateStore as _, RunStateStoreExt as _, SafeText,
};

use crate::ground::becomes_true;
use crate::migrations::quietly;
use crate::server::{TestRole, TestSchema, connect, connect_to, execute, random_name};
use crate::stage::{
    assert_consistent, bootstrap, hold, migrated, number, open, request, until, url_named, waiting,
};
use crate::trial::{Outcome, trials};

trials![
    every_state_has_its_class_in_every_operation,
    a_session_ended_while_idle_is_replaced,
    a_cancelled_statement_is_transient_and_one_whose_session_ended_unknown,
    a_missing_privilege_is_the_callers_until_it_is_granted,
    an_idle_transaction_that_the_server_ended_is_transient,
    connections_that_only_read_are_replaced,
];

use ErrorClass::{Bug, Caller, Transient, Unknown};

/// The state, its constraint, what the caller is told, and whether the session is good for the next call.
///
/// A value that the server refuses (22, 23, 54) is a bug: whatever a caller can get wrong is checked before. A session that
/// ends says so with more than an error (57P01 is FATAL then); an error is a whole answer.
const STATES: [(&str, &str, ErrorClass, bool); 32] = [
    ("08003", "", Unknown, true),
    ("08006", "", Unknown, true),
    ("0A000", "", Transient, false),
    ("22001", "", Bug, true),
    ("22003", "", Bug, true),
    ("22008", "", Bug, true),
    ("22021", "", Bug, true),
    ("22P02", "", Bug, true),
    ("22P05", "", Bug, true),
    ("23502", "", Bug, true),
    ("23505", "run_events_pkey", Bug, true),
    ("23514", "outbox_cursor", Bug, true),
    ("25006", "", Transient, false),
    ("25P02", "", Transient, false),
    ("26000", "", Transient, false),
    ("3F000", "", Caller, true),
    ("42501", "", Caller, true),
    ("42703", "", Bug, true),
    ("42P01", "", Caller, true),
    ("53100", "", Transient, true),
    ("53200", "", Transient, true),
    ("53400", "", Transient, true),
    ("54000", "", Bug, true),
    ("54001", "", Bug, true),
    ("55P03", "", Transient, true),
    ("57014", "", Transient, true),
    ("57P01", "", Unknown, true),
    ("57P02", "", Unknown, true),
    ("57P03", "", Transient, true),
    ("58030", "", Transient, true),
    ("P0001", "", Bug, true),
    ("XX001", "", Bug, true),
];

/// Five operations that write.
async fn five(store: &PostgresStore, leases: &[Lease]) -> [Result<(), ErrorClass>; 5] {
    let new = BootstrapRequest {
        run: run("new"),
        metadata: metadata(),
        events: notes(1, 1),
    };
    let class = |error: dvt_contracts::StoreError| error.class();
    let outbox_class = |error: dvt_contracts::OutboxError| error.class();
    let append = AppendRequest::new(run("a"), vec![note("more")]);
    [
        store
            .append_and_enqueue(append)
            .await
            .map(drop)
            .map_err(class),
        store.bootstrap_run(&new).await.map(drop).map_err(class),
        store
            .claim(&claim_all())
            .await
            .map(drop)
            .map_err(outbox_class),
        store.acknowledge(&leases[0], 1).await.map_err(outbox_class),
        store
            .mark_failed(&leases[1], 1, &SafeText::new("no"), &policy(3))
            .await
            .map(drop)
            .map_err(outbox_class),
    ]
}

async fn every_state_has_its_class_in_every_operation() -> Outcome {
    let (schema, name) = (migrated().await, random_name());
    let settings = schema
        .settings_by(&url_named(&name))
        .with_max_connections(1)?;
    let store = open(settings).await;
    bootstrap(&store, &["a", "b"]).await;
    for run in ["a", "b"] {
        let append = AppendRequest::new(dvt_conformance::fixture::run(run), notes(1, 1));
        store.append_and_enqueue(append).await?;
    }
    let claimed = store.claim(&claim_all()).await?;
    let leases: Vec<Lease> = claimed.into_iter().map(|run| run.lease).collect();
    let mut conn = connect().await;
    execute(&mut conn, format!("SET search_path = {}", schema.name())).await;
    execute(
        &mut conn,
        "CREATE TABLE refusals (state text, name text);
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE how refusals;
         BEGIN
             FOR how IN SELECT * FROM refusals LOOP
                 RAISE EXCEPTION USING ERRCODE = how.state, CONSTRAINT = how.name;
             END LOOP;
             RETURN NULL;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    )
    .await;
    let heads =
        "SELECT hashtext(string_agg(o::text, ';' ORDER BY run_id))::bigint FROM outbox AS o";
    let session =
        format!("SELECT pid::bigint FROM pg_stat_activity WHERE application_name = '{name}'");

    for (state, constraint, class, kept) in STATES {
        store.stats().await?;
        let (before, pid) = (
            number(&mut conn, heads).await,
            number(&mut conn, &session).await,
        );
        execute(
            &mut conn,
            format!("INSERT INTO refusals VALUES ('{state}', '{constraint}')"),
        )
        .await;

        let told = five(&store, &leases).await;

        assert_eq!(told, [Err(class); 5], "{state}");
        execute(&mut conn, "DELETE FROM refusals").await;
        store.stats().await?;
        assert_eq!(number(&mut conn, heads).await, before, "{state}");
        // Those that were left are ending.
        until(&mut conn, &session.replace("pid::bigint", "count(*)"), 1).await;
        assert_eq!(number(&mut conn, &session).await == pid, kept, "{state}");
    }

    assert_eq!(five(&store, &leases).await, [Ok(()); 5]);
    assert_consistent(&mut conn, schema.name()).await;
    Ok(())
}

/// Ends all sessions of that name, and waits until they are gone.
async fn end_sessions(name: &str) {
    let mut conn = connect().await;
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    assert!(number(&mut conn, &end).await > 0);
    let left = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
    until(&mut conn, &left, 0).await;
}

async fn a_session_ended_while_idle_is_replaced() -> Outcome {
    let (schema, name) = (migrated().await, random_name());
    let settings = schema
        .settings_by(&url_named(&name))
        .with_max_connections(1)?;
    let store = open(settings).await;
    let runs = bootstrap(&store, &["run"]).await;

    end_sessions(&name).await;
    let read = store.get_run(&runs[0]).await.unwrap_err();
    store.get_run(&runs[0]).await?;
    end_sessions(&name).await;
    let written = store
        .append_and_enqueue(request(&runs[0], note("k1")))
        .await;
    let again = store
        .append_and_enqueue(request(&runs[0], note("k1")))
        .await?;

    // The statement met a connection that was closed, which cannot be told from one that was closed a moment later.
    assert_eq!(written.unwrap_err().class(), Unknown);
    assert_eq!(read.class(), Transient);
    assert!(!again.events[0].is_duplicate());
    Ok(())
}

async fn a_cancelled_statement_is_transient_and_one_whose_session_ended_unknown() -> Outcome {
    for (end, class) in [
        ("pg_cancel_backend", Transient),
        ("pg_terminate_backend", Unknown),
    ] {
        let (schema, name) = (migrated().await, random_name());
        let store = open(
            schema
                .settings_by(&url_named(&name))
                .with_max_connections(1)?,
        )
        .await;
        let runs = bootstrap(&store, &["run"]).await;
        let mut conn = connect().await;
        let holder = hold(schema.name(), &runs).await;
        let call = request(&runs[0], note("k1"));
        let append = tokio::spawn({
            let (store, call) = (store.clone(), call.clone());
            async move { store.append_and_enqueue(call).await }
        });
        until(&mut conn, &waiting(&name), 1).await;

        let end = format!(
            "SELECT count({end}(pid)) FROM pg_stat_activity WHERE application_name = '{name}'"
        );
        assert_eq!(number(&mut conn, &end).await, 1);
        let ended = append.await?.unwrap_err();
        drop(holder);

        assert_eq!(ended.class(), class, "{ended:?}");
        assert!(!store.append_and_enqueue(call).await?.events[0].is_duplicate());
    }
    Ok(())
}

async fn a_missing_privilege_is_the_callers_until_it_is_granted() -> Outcome {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    let (name, owner) = (schema.name(), &role.name);
    let mut conn = connect().await;
    execute(
        &mut conn,
        format!("CREATE SCHEMA {name} AUTHORIZATION {owner}"),
    )
    .await;
    let settings = schema.settings_by(&role.url()).with_max_connections(1)?;
    quietly(&settings).await?;
    let store = open(settings).await;
    let runs = bootstrap(&store, &["run"]).await;
    let call = request(&runs[0], note("k1"));

    execute(
        &mut conn,
        format!("REVOKE INSERT ON {name}.run_events FROM {owner}"),
    )
    .await;
    let refused = store.append_and_enqueue(call.clone()).await.unwrap_err();
    execute(
        &mut conn,
        format!("GRANT INSERT ON {name}.run_events TO {owner}"),
    )
    .await;

    assert_eq!(refused.class(), Caller, "{refused:?}");
    assert_eq!(store.append_and_enqueue(call).await?.head, 1);
    Ok(())
}

/// 25P03 comes before the statement that the caller sends next, and undoes all of the transaction.
async fn an_idle_transaction_that_the_server_ended_is_transient() -> Outcome {
    let schema = migrated().await;
    let store = open(schema.settings()).await;
    let runs = bootstrap(&store, &["run"]).await;
    let mut caller = connect_to(&url_named("caller")).await;
    let pid = number(&mut caller, "SELECT pg_backend_pid()::bigint").await;
    let mut transaction = sqlx::Connection::begin(&mut caller).await?;
    execute(
        &mut transaction,
        "SET LOCAL idle_in_transaction_session_timeout = '20ms'",
    )
    .await;
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    until(&mut connect().await, &gone, 0).await;

    let call = [request(&runs[0], note("k1"))];
    let error = store.append_in(&mut transaction, &call).await.unwrap_err();

    assert_eq!(error.class(), Transient, "{error:?}");
    assert_eq!(store.get_run(&runs[0]).await?.head, 0);
    Ok(())
}

/// A role that may only read is given back the right to write: the sessions from before would read for ever.
async fn connections_that_only_read_are_replaced() -> Outcome {
    const CONNECTIONS: usize = 3;
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    let (name, owner) = (schema.name(), &role.name);
    let mut conn = connect().await;
    execute(
        &mut conn,
        format!("CREATE SCHEMA {name} AUTHORIZATION {owner}"),
    )
    .await;
    let settings = schema.settings_by(&role.url());
    quietly(&settings).await?;
    let runs = bootstrap(&open(settings.clone()).await, &["run"]).await;
    execute(
        &mut conn,
        format!("ALTER ROLE {owner} SET default_transaction_read_only = on"),
    )
    .await;
    let store = open(settings.with_max_connections(CONNECTIONS as u32)?).await;
    let held = hold_reads(&mut conn, &store, &schema, CONNECTIONS, owner).await;
    assert!(held, "not all connections were made");

    let refused = store
        .append_and_enqueue(request(&runs[0], note("k0")))
        .await;
    store.get_run(&runs[0]).await?;
    execute(
        &mut conn,
        format!("ALTER ROLE {owner} RESET default_transaction_read_only"),
    )
    .await;
    let mut failures = 0;
    let written = becomes_true(async || {
        let written = store
            .append_and_enqueue(request(&runs[0], note("k1")))
            .await;
        match &written {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.class(), Transient, "{error:?}");
                failures += 1;
            }
        }
        written.is_ok()
    });

    assert!(written.await);
    assert_eq!(refused.unwrap_err().class(), Transient);
    assert!(failures < CONNECTIONS, "{failures} failures");
    store.claim(&claim_all()).await?;
    Ok(())
}

/// Makes all connections of the pool, by as many reads that wait for a lock at once.
async fn hold_reads(
    conn: &mut sqlx::PgConnection,
    store: &PostgresStore,
    schema: &TestSchema,
    count: usize,
    role: &str,
) -> bool {
    let lock = format!(
        "BEGIN; LOCK TABLE {}.outbox IN ACCESS EXCLUSIVE MODE",
        schema.name()
    );
    execute(conn, lock).await;
    let reads: Vec<_> = (0..count)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get_run(&run("run")).await })
        })
        .collect();
    let wait = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}' AND wait_event_type = 'Lock'"
    );
    until(&mut connect().await, &wait, count as i64).await;
    execute(conn, "COMMIT").await;
    let mut all = true;
    for read in reads {
        all &= read.await.unwrap().is_ok();
    }
    all
}
