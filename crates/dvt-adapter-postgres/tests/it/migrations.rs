//! Migrating where nothing goes wrong.

use std::time::Duration;

use dvt_adapter_postgres::{
    MigrateError, Migration, MigrationReport, PostgresSettings, SchemaName, StepOutcome, dump_sql,
    migrate, status,
};
use dvt_contracts::{ErrorClass, Timestamp};
use sqlx::{Executor as _, PgConnection};
use tokio::task::JoinSet;

use crate::server::{
    TestDatabase, TestSchema, connect, connect_to, execute, random_name, url_with,
};
use crate::trial::{Outcome, trials};
use crate::{catalogue, interrupted};

trials![
    an_empty_database_gets_every_migration_once,
    eight_at_once_apply_each_version_once,
    an_older_schema_gets_what_it_lacks,
    the_dump_is_what_migrate_does,
    the_dump_twice_changes_nothing,
    a_held_lock_is_waited_for_and_its_holder_named,
    a_released_lock_lets_the_waiting_one_go_on,
    a_schema_may_be_called_like_a_reserved_word,
    the_database_has_other_tenants_of_the_same_names,
];

/// Migrates without looking at the progress.
pub(crate) async fn quietly(settings: &PostgresSettings) -> Result<MigrationReport, MigrateError> {
    migrate(settings, &mut |_| {}).await
}

async fn recorded(
    conn: &mut PgConnection,
    schema: &SchemaName,
) -> Vec<(i64, String, bool, Vec<u8>)> {
    let rows = format!(
        "SELECT version, description, success, checksum FROM {schema}.schema_migrations ORDER BY 1"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(rows))
        .fetch_all(conn)
        .await
        .unwrap()
}

fn expected() -> Vec<(i64, String, bool, Vec<u8>)> {
    let row = |m: Migration| {
        (
            m.version(),
            m.description().to_owned(),
            true,
            m.checksum().to_vec(),
        )
    };
    Migration::embedded().into_iter().map(row).collect()
}

async fn an_empty_database_gets_every_migration_once() -> Outcome {
    let schema = TestSchema::create();
    let mut conn = connect().await;
    assert!(
        status(&schema.settings())
            .await?
            .iter()
            .all(|state| state.applied_at.is_none())
    );

    let mut told = Vec::new();
    let first = migrate(&schema.settings(), &mut |step| {
        told.push(step.migration.version())
    })
    .await?;
    let second = quietly(&schema.settings()).await?;

    let versions: Vec<_> = expected().into_iter().map(|row| row.0).collect();
    assert_eq!(told, versions);
    assert_eq!(first.applied(), versions.len());
    assert_eq!(second.applied(), 0);
    assert!(
        second
            .steps
            .iter()
            .all(|step| step.outcome == StepOutcome::AlreadyThere)
    );
    assert_eq!(recorded(&mut conn, schema.name()).await, expected());
    assert_eq!(catalogue::locks(&mut conn, schema.name()).await, 0);
    let since = Timestamp::MIN.saturating_add(Duration::from_secs(1));
    for state in status(&schema.settings()).await? {
        assert!(state.applied_at.is_some_and(|at| at > since), "{state:?}");
    }
    Ok(())
}

async fn eight_at_once_apply_each_version_once() -> Outcome {
    let schema = TestSchema::create();
    let mut conn = connect().await;
    for _ in 0..5 {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let settings = schema.settings();
            tasks.spawn(async move { quietly(&settings).await.map(|report| report.applied()) });
        }
        let applied: Vec<_> = tasks
            .join_all()
            .await
            .into_iter()
            .collect::<Result<_, _>>()?;

        assert_eq!(
            applied.iter().sum::<usize>(),
            expected().len(),
            "{applied:?}"
        );
        assert_eq!(recorded(&mut conn, schema.name()).await, expected());
        assert_eq!(catalogue::locks(&mut conn, schema.name()).await, 0);
        execute(&mut conn, format!("DROP SCHEMA {} CASCADE", schema.name())).await;
    }
    Ok(())
}

async fn an_older_schema_gets_what_it_lacks() -> Outcome {
    let (older, fresh) = (TestSchema::create(), TestSchema::create());
    let mut conn = connect().await;
    // What a binary with the first three migrations leaves.
    let script = dump_sql(older.name());
    let fourth = script.match_indices("\nBEGIN;\n").nth(3).unwrap().0;
    execute(&mut connect().await, &script[..fourth]).await;

    let report = quietly(&older.settings()).await?;
    quietly(&fresh.settings()).await?;

    let applied: Vec<_> = report
        .steps
        .iter()
        .map(|step| step.outcome != StepOutcome::AlreadyThere)
        .collect();
    assert_eq!(applied[..4], [false, false, false, true]);
    assert_eq!(recorded(&mut conn, older.name()).await, expected());
    assert_eq!(
        catalogue::difference(&mut conn, older.name(), fresh.name()).await,
        Vec::<String>::new()
    );
    Ok(())
}

async fn the_dump_is_what_migrate_does() -> Outcome {
    let (dumped, migrated) = (TestSchema::create(), TestSchema::create());
    let mut conn = connect().await;

    execute(&mut connect().await, dump_sql(dumped.name())).await;
    let report = quietly(&dumped.settings()).await?;
    quietly(&migrated.settings()).await?;

    assert_eq!(report.applied(), 0);
    assert_eq!(recorded(&mut conn, dumped.name()).await, expected());
    let by_hand = catalogue::objects(&mut conn, dumped.name()).await;
    assert!(
        by_hand.contains("column run_events.payload json"),
        "{by_hand}"
    );
    assert_eq!(
        catalogue::difference(&mut conn, dumped.name(), migrated.name()).await,
        Vec::<String>::new()
    );
    Ok(())
}

async fn the_dump_twice_changes_nothing() -> Outcome {
    let schema = TestSchema::create();
    let mut conn = connect().await;
    let script = dump_sql(schema.name());
    execute(&mut connect().await, &script).await;
    let before = catalogue::objects(&mut conn, schema.name()).await;

    let again = connect().await.execute(sqlx::AssertSqlSafe(script)).await;

    let code = again
        .unwrap_err()
        .as_database_error()
        .and_then(|error| error.code().map(Into::into));
    assert_eq!(code, Some("23505".to_owned()));
    assert_eq!(catalogue::objects(&mut conn, schema.name()).await, before);
    Ok(())
}

const LOCK: &str = "SELECT pg_advisory_lock(hashtextextended(('dvt:' || $1) COLLATE \"C\", 0))";

async fn a_held_lock_is_waited_for_and_its_holder_named() -> Outcome {
    let schema = TestSchema::create();
    let mut holder = connect().await;
    sqlx::query(LOCK)
        .bind(schema.name().as_str())
        .execute(&mut holder)
        .await?;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut holder)
        .await?;

    let settings = schema
        .settings()
        .with_migration_wait(Duration::from_millis(120));
    let refused = quietly(&settings).await.unwrap_err();

    assert_eq!(refused.class(), ErrorClass::Transient);
    let MigrateError::Locked {
        holder: found,
        waited,
        ..
    } = refused
    else {
        return Err(refused.into());
    };
    assert_eq!(found, Some(pid));
    assert!(waited >= Duration::from_millis(120), "{waited:?}");
    assert_eq!(catalogue::objects(&mut holder, schema.name()).await, "");
    Ok(())
}

async fn a_released_lock_lets_the_waiting_one_go_on() -> Outcome {
    let schema = TestSchema::create();
    let mut holder = connect().await;
    sqlx::query(LOCK)
        .bind(schema.name().as_str())
        .execute(&mut holder)
        .await?;
    let name = random_name();
    let settings = schema.settings_by(&url_with(|url| {
        url.query_pairs_mut().append_pair("application_name", &name);
    }));

    let waiting = tokio::spawn(async move { quietly(&settings).await });
    // It has asked for the lock at least once.
    while !interrupted::is_seen(&mut holder, &name, "%pg_try_advisory_lock%").await {
        assert!(!waiting.is_finished(), "it did not wait");
    }
    sqlx::query("SELECT pg_advisory_unlock_all()")
        .execute(&mut holder)
        .await?;

    assert_eq!(waiting.await??.applied(), expected().len());
    Ok(())
}

async fn a_schema_may_be_called_like_a_reserved_word() -> Outcome {
    let database = TestDatabase::create("UTF8").await;
    for name in ["user", "table", "public"] {
        let settings = PostgresSettings::from_url(&database.url())?.with_schema(name.parse()?);
        assert_eq!(
            quietly(&settings).await?.applied(),
            expected().len(),
            "{name}"
        );
        assert_eq!(quietly(&settings).await?.applied(), 0, "{name}");
    }
    // It was there before us and keeps its privileges.
    let mut conn = connect_to(&database.url()).await;
    let grants = catalogue::public_grants(&mut conn, &"public".parse()?).await;
    assert!(
        grants.contains(&"schema public USAGE".to_owned()),
        "{grants:?}"
    );
    Ok(())
}

async fn the_database_has_other_tenants_of_the_same_names() -> Outcome {
    let (first, second) = (TestSchema::create(), TestSchema::create());
    let mut conn = connect().await;
    quietly(&first.settings()).await?;

    let report = quietly(&second.settings()).await?;

    assert_eq!(report.applied(), expected().len());
    assert_eq!(
        catalogue::difference(&mut conn, first.name(), second.name()).await,
        Vec::<String>::new()
    );
    // Each guard looks at the tables of its own schema.
    let paths: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT array_to_string(proconfig, ';') FROM pg_proc WHERE pronamespace = to_regnamespace($1)",
    )
    .bind(second.name().as_str())
    .fetch_all(&mut conn)
    .await?;
    assert_eq!(paths, [format!("search_path={}, pg_temp", second.name())]);
    Ok(())
}
