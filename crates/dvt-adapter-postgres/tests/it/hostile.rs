//! CASES K 100, L 105: objects of our names where others look first, and schemas whose names are words of SQL.

use std::time::Duration;

use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_conformance::fixture::{by_ann, claim_all, note, policy, run};
use dvt_contracts::{
    AppendRequest, Checkpoint, Destination, EventType, OutboxStorage as _, OutboxStorageExt as _,
    RunStateStore as _, RunStateStoreExt as _,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::ground::bootstrap;
use crate::migrations::quietly;
use crate::server::{TestDatabase, connect_to, execute};
use crate::stage::number;
use crate::trial::{Outcome, trials};

trials![
    what_is_planted_in_public_is_not_used,
    what_is_planted_in_a_callers_session_is_not_used,
    a_schema_called_like_a_word_of_sql_is_used_by_every_method,
];

/// Tables of our names, and functions and an operator that would be ours if only names counted. Each is a trap.
const TRAPS: &str = "
    CREATE TABLE public.sprung (trap text);
    GRANT ALL ON SCHEMA public TO PUBLIC;
    CREATE FUNCTION public.spring(trap text) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the trap % has sprung', trap; END $$;
    CREATE TABLE public.outbox (parcel text);
    CREATE TABLE public.run_events (parcel text);
    CREATE TABLE public.run_metadata (parcel text);
    CREATE TABLE public.run_checkpoints (parcel text);
    CREATE TABLE public.outbox_dead_letters (parcel text);
    CREATE TABLE public.outbox_destination (parcel text);
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
        $$ SELECT pg_catalog.now() WHERE public.spring('clock_timestamp') $$;
    CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql AS
        $$ SELECT pg_catalog.now() WHERE public.spring('statement_timestamp') $$;
    CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS
        $$ SELECT $2 WHERE public.spring('set_config') $$;
    CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS
        $$ SELECT $1 WHERE public.spring('current_setting') $$;
    CREATE FUNCTION public.unnest(text[], text[]) RETURNS SETOF record LANGUAGE sql AS
        $$ SELECT 'a', 'b' WHERE public.spring('unnest') $$;
    CREATE FUNCTION public.guard_run_events() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM public.spring('guard'); RETURN NULL; END $$;
    CREATE FUNCTION public.equal(text, text) RETURNS boolean LANGUAGE sql AS
        $$ SELECT public.spring('=') $$;
    CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.equal);
    CREATE DOMAIN public.text AS pg_catalog.text CHECK (VALUE IS NULL);
";

const TRAP_TABLES: [&str; 6] = [
    "outbox",
    "run_events",
    "run_metadata",
    "run_checkpoints",
    "outbox_dead_letters",
    "outbox_destination",
];

/// The traps do spring for whoever looks where they are.
async fn traps(database: &TestDatabase) -> PgConnection {
    let mut conn = connect_to(&database.url()).await;
    execute(&mut conn, TRAPS).await;
    let mut other = connect_to(&database.url()).await;
    execute(&mut other, "SET search_path = public, pg_catalog").await;
    let sprung = sqlx::query(AssertSqlSafe("SELECT clock_timestamp()".to_owned()));
    let error = sprung.execute(&mut other).await.unwrap_err();
    assert!(error.to_string().contains("has sprung"), "{error}");
    conn
}

/// A store's whole work, each kind of statement once.
async fn work(store: &PostgresStore) -> Outcome {
    let run = run("run");
    bootstrap(store, &run).await;
    let events = vec![note("k1"), note("k2"), note("k3")];
    let request = AppendRequest::new(run.clone(), events);
    store.append_and_enqueue(request.clone()).await?;
    assert_eq!(store.append_and_enqueue(request).await?.head, 3);
    let completed = dvt_conformance::fixture::event(EventType::RunFailed, "end");
    store
        .append_and_enqueue(AppendRequest::new(run.clone(), vec![completed]))
        .await?;
    let state = store.load_state(&run).await?;
    store.save_checkpoint(&run, &Checkpoint::of(&state)).await?;
    assert!(store.load_checkpoint(&run).await?.is_some());
    let (first, second) = (Destination::new("a")?, Destination::new("b")?);
    store.bind_destination(&first).await?;
    store.retarget(&first, &second, &by_ann()).await?;
    let lease = store.claim(&claim_all()).await?.remove(0).lease;
    let lease = store.extend_one(&lease, Duration::from_secs(90)).await?;
    store.acknowledge(&lease, 1).await?;
    let lease = store.claim(&claim_all()).await?.remove(0).lease;
    store.release_one(&lease).await?;
    let lease = store.claim(&claim_all()).await?.remove(0).lease;
    store
        .mark_failed(&lease, 2, &"no".into(), &policy(1))
        .await?;
    let letter = store
        .list_dead_letters(&Default::default())
        .await?
        .remove(0);
    store
        .skip_dead_letter(&run, letter.dead_letter_no, &by_ann())
        .await?;
    assert_eq!(
        store.list_pending(&Default::default()).await?[0].delivered_seq,
        2
    );
    assert_eq!(store.stats().await?.skipped_events, 1);
    let lease = store.claim(&claim_all()).await?.remove(0).lease;
    store.acknowledge(&lease, 4).await?;
    assert_eq!(store.list_events(&run, 0, 10).await?.events.len(), 4);
    assert_eq!(store.list_tenants(None, 10).await?.len(), 1);
    assert_eq!(store.prune_run(&run).await?.removed, 4);
    Ok(())
}

async fn what_is_planted_in_public_is_not_used() -> Outcome {
    let database = TestDatabase::create("UTF8").await;
    let mut conn = traps(&database).await;
    // Whoever does not say otherwise looks there first, even before the catalogue.
    let path = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$";
    execute(&mut conn, path).await;
    let settings = PostgresSettings::from_url(&database.url())?;

    quietly(&settings).await?;
    work(&PostgresStore::connect(settings).await?).await?;

    for table in TRAP_TABLES {
        let rows = number(&mut conn, &format!("SELECT count(*) FROM public.{table}")).await;
        assert_eq!(rows, 0, "{table}");
    }
    Ok(())
}

async fn what_is_planted_in_a_callers_session_is_not_used() -> Outcome {
    let database = TestDatabase::create("UTF8").await;
    traps(&database).await;
    let settings = PostgresSettings::from_url(&database.url())?;
    quietly(&settings).await?;
    let store = PostgresStore::connect(settings).await?;
    bootstrap(&store, &run("run")).await;
    let mut caller = connect_to(&database.url()).await;
    for table in TRAP_TABLES {
        execute(
            &mut caller,
            format!("CREATE TEMP TABLE {table} (parcel text)"),
        )
        .await;
    }
    for path in ["public", "pg_temp, public", "public, pg_temp", "''"] {
        execute(&mut caller, format!("SET search_path = {path}")).await;
        let mut transaction = caller.begin().await?;

        let event = note(&format!("in {path}"));
        let request = AppendRequest::new(run("run"), vec![event]);
        store
            .append_in(&mut transaction, &[request])
            .await?
            .remove(0)?;
        transaction.commit().await?;
    }

    assert_eq!(store.get_run(&run("run")).await?.head, 4);
    for table in TRAP_TABLES {
        let rows = number(
            &mut caller,
            &format!("SELECT count(*) FROM pg_temp.{table}"),
        )
        .await;
        assert_eq!(rows, 0, "{table}");
    }
    Ok(())
}

async fn a_schema_called_like_a_word_of_sql_is_used_by_every_method() -> Outcome {
    let database = TestDatabase::create("UTF8").await;
    let longest = "x".repeat(48);
    for name in ["select", "user", "default", "current_user", "_", &longest] {
        let settings = PostgresSettings::from_url(&database.url())?.with_schema(name.parse()?);
        quietly(&settings).await?;
        let store = PostgresStore::connect(settings).await?;

        work(&store)
            .await
            .map_err(|error| format!("{name}: {error}"))?;

        bootstrap(&store, &run("in")).await;
        let mut caller = connect_to(&database.url()).await;
        let mut transaction = caller.begin().await?;
        let request = AppendRequest::new(run("in"), vec![note("k1")]);
        store
            .append_in(&mut transaction, &[request])
            .await?
            .remove(0)?;
        transaction.commit().await?;
        let sql = format!("SELECT last_seq FROM \"{name}\".outbox WHERE run_id = 'in'");
        assert_eq!(number(&mut caller, &sql).await, 1, "{name}");
    }
    Ok(())
}
