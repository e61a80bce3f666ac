//! Databases and schemas that are not migrated, with nothing changed.

use dvt_adapter_postgres::{MigrateError, PostgresSettings, SchemaFault, status};
use dvt_contracts::ErrorClass;
use sqlx::PgConnection;

use crate::catalogue;
use crate::migrations::quietly;
use crate::server::{TestDatabase, TestSchema, connect, connect_to, execute, url_with};
use crate::trial::{Outcome, trials};

trials![
    an_edited_migration,
    a_schema_newer_than_the_binary,
    a_migration_that_the_binary_lacks,
    a_gap_in_the_history,
    a_migration_that_is_recorded_as_failed,
    a_table_of_another_tool,
    a_name_that_is_taken,
    a_lock_of_others,
    a_database_that_is_not_utf8,
    a_database_that_is_read_only,
    a_server_that_is_not_there,
    a_password_is_in_no_message,
];

/// Migrates, changes the record, and tries again.
async fn refused(change: &str) -> (SchemaFault, String) {
    let schema = TestSchema::create();
    let mut conn = connect().await;
    quietly(&schema.settings()).await.unwrap();
    execute(
        &mut conn,
        format!("SET search_path = {}; {change}", schema.name()),
    )
    .await;
    // Something to do, if it were not refused.
    let before = everything(&mut conn, &schema).await;

    let error = quietly(&schema.settings()).await.unwrap_err();
    let state = status(&schema.settings()).await.unwrap_err();

    assert_eq!(everything(&mut conn, &schema).await, before);
    assert_eq!(error.class(), ErrorClass::Caller);
    assert_eq!(error.to_string(), state.to_string());
    match error {
        MigrateError::Schema(fault) => {
            let message = fault.to_string().replace(schema.name().as_str(), "SCHEMA");
            (fault, message)
        }
        other => panic!("{other:?}"),
    }
}

async fn everything(conn: &mut PgConnection, schema: &TestSchema) -> (String, String) {
    let rows = format!(
        "SELECT string_agg(m::text, ';' ORDER BY m::text) FROM {}.schema_migrations AS m",
        schema.name()
    );
    let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    (rows, catalogue::objects(conn, schema.name()).await)
}

async fn an_edited_migration() -> Outcome {
    let (fault, message) = refused(
        "UPDATE schema_migrations SET checksum = 'edited' WHERE version = 2; DELETE FROM schema_migrations WHERE version = 5",
    )
    .await;
    assert!(matches!(fault, SchemaFault::Edited { .. }));
    assert!(
        message.starts_with(
            "migration 0002 create run events is not what was applied to schema SCHEMA"
        ),
        "{message}"
    );
    Ok(())
}

async fn a_schema_newer_than_the_binary() -> Outcome {
    let (fault, message) =
        refused("INSERT INTO schema_migrations VALUES (9998, 'later', now(), true, '', 0), (9999, 'latest', now(), true, '', 0)")
            .await;
    assert!(matches!(fault, SchemaFault::Ahead { versions, .. } if versions == [9998, 9999]));
    assert!(
        message.ends_with("which does not know 9998, 9999: use a newer binary"),
        "{message}"
    );
    Ok(())
}

async fn a_migration_that_the_binary_lacks() -> Outcome {
    let (fault, message) =
        refused("INSERT INTO schema_migrations VALUES (0, 'before', now(), true, '', 0)").await;
    assert!(matches!(fault, SchemaFault::Unknown { versions, .. } if versions == [0]));
    assert!(
        message.contains("has the migrations 0000, which this binary lacks"),
        "{message}"
    );
    Ok(())
}

async fn a_gap_in_the_history() -> Outcome {
    let (fault, message) = refused("DELETE FROM schema_migrations WHERE version = 2").await;
    assert!(matches!(fault, SchemaFault::Gap { .. }));
    assert!(
        message.contains("but not 0002 create run events before it"),
        "{message}"
    );
    Ok(())
}

async fn a_migration_that_is_recorded_as_failed() -> Outcome {
    let (fault, message) = refused(
        "UPDATE schema_migrations SET success = false WHERE version = 4; DELETE FROM schema_migrations WHERE version = 5",
    )
    .await;
    assert!(matches!(fault, SchemaFault::Dirty { version: 4, .. }));
    assert!(
        message.contains("migration 4 is recorded as not successful in schema SCHEMA"),
        "{message}"
    );
    Ok(())
}

async fn a_table_of_another_tool() -> Outcome {
    for columns in ["version varchar", "version bigint, dirty boolean"] {
        let schema = TestSchema::create();
        let mut conn = connect().await;
        let name = schema.name();
        execute(
            &mut conn,
            format!("CREATE SCHEMA {name}; CREATE TABLE {name}.schema_migrations ({columns})"),
        )
        .await;

        let error = quietly(&schema.settings()).await.unwrap_err();

        assert!(
            matches!(error, MigrateError::Schema(SchemaFault::Foreign { .. })),
            "{error:?}"
        );
        let objects = catalogue::objects(&mut conn, name).await;
        assert_eq!(objects.matches("table ").count(), 1, "{objects}");
    }
    Ok(())
}

async fn a_name_that_is_taken() -> Outcome {
    let schema = TestSchema::create();
    let mut conn = connect().await;
    let name = schema.name();
    execute(
        &mut conn,
        format!("CREATE SCHEMA {name}; CREATE TABLE {name}.outbox (parcel text)"),
    )
    .await;

    let error = quietly(&schema.settings()).await.unwrap_err();

    assert!(matches!(error, MigrateError::Occupied { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("migration 0003 create outbox failed: the schema holds something"),
        "{error}"
    );
    // What came before is there, and is not done again once the name is free.
    execute(&mut conn, format!("DROP TABLE {name}.outbox")).await;
    let versions: Vec<_> = quietly(&schema.settings())
        .await?
        .steps
        .iter()
        .map(|step| step.migration.version())
        .collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    Ok(())
}

async fn a_lock_of_others() -> Outcome {
    let schema = TestSchema::create();
    let mut other = connect().await;
    quietly(&schema.settings()).await?;
    let name = schema.name();
    execute(&mut other, format!(
        "DELETE FROM {name}.schema_migrations WHERE version = 5; DROP FUNCTION {name}.guard_run_events CASCADE; \
         DROP FUNCTION {name}.guard_run_events_delete CASCADE"
    )).await;
    // A service at work.
    execute(
        &mut other,
        format!("BEGIN; LOCK TABLE {name}.run_events IN ROW EXCLUSIVE MODE"),
    )
    .await;

    let error = quietly(&schema.settings()).await.unwrap_err();

    assert!(matches!(error, MigrateError::Busy { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Transient);
    execute(&mut other, "ROLLBACK").await;
    assert_eq!(quietly(&schema.settings()).await?.applied(), 1);
    Ok(())
}

async fn a_database_that_is_not_utf8() -> Outcome {
    let database = TestDatabase::create("SQL_ASCII").await;
    let settings = PostgresSettings::from_url(&database.url())?;

    let error = quietly(&settings).await.unwrap_err();

    assert!(
        matches!(&error, MigrateError::Encoding { found } if found == "SQL_ASCII"),
        "{error:?}"
    );
    assert_eq!(
        catalogue::objects(&mut connect_to(&database.url()).await, settings.schema()).await,
        ""
    );
    Ok(())
}

async fn a_database_that_is_read_only() -> Outcome {
    let schema = TestSchema::create();
    let read_only = url_with(|url| {
        url.query_pairs_mut()
            .append_pair("options[default_transaction_read_only]", "on");
    });

    let error = quietly(&schema.settings_by(&read_only)).await.unwrap_err();

    assert!(matches!(error, MigrateError::ReadOnly { .. }), "{error:?}");
    // Where nothing is to be done, that does not matter.
    quietly(&schema.settings()).await?;
    assert_eq!(quietly(&schema.settings_by(&read_only)).await?.applied(), 0);
    Ok(())
}

async fn a_server_that_is_not_there() -> Outcome {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let settings = PostgresSettings::from_url(&format!("postgres://ann@127.0.0.1:{port}/shop"))?;

    let error = quietly(&settings).await.unwrap_err();

    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(
        error
            .to_string()
            .starts_with("cannot connect to ann@127.0.0.1:"),
        "{error}"
    );
    Ok(())
}

async fn a_password_is_in_no_message() -> Outcome {
    const SECRET: &str = "s3cr3t-tuna";
    let database = |url: &mut url::Url| {
        url.set_password(Some(SECRET)).unwrap();
        url.set_path("dvt_it_nobody");
    };
    let error = quietly(&PostgresSettings::from_url(&url_with(database))?)
        .await
        .unwrap_err();

    assert!(
        matches!(
            error,
            MigrateError::Connect {
                class: ErrorClass::Caller,
                ..
            }
        ),
        "{error:?}"
    );
    let words = format!("{error} {error:?} {error:#?}");
    assert!(!words.contains(SECRET), "{words}");
    Ok(())
}
