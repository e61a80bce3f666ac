//! Who may do what, and with how little one gets by.

use dvt_adapter_postgres::{
    MigrateError, Migration, PostgresSettings, SchemaFault, SchemaName, StepOutcome, dump_sql,
    status,
};

use crate::catalogue;
use crate::migrations::quietly;
use crate::server::{TestDatabase, TestRole, TestSchema, connect, connect_to, execute};
use crate::trial::{Outcome, trials};

trials![
    the_public_has_no_privileges,
    default_privileges_do_not_open_the_schema,
    nothing_to_do_needs_no_privilege_to_create,
    a_role_that_may_not_read_is_told_what_to_grant,
    a_role_that_may_not_create_is_told_the_ways_out,
    an_owner_needs_no_more_than_its_schema,
];

async fn the_public_has_no_privileges() -> Outcome {
    let schema = TestSchema::create();
    let mut conn = connect().await;
    quietly(&schema.settings()).await?;

    assert_eq!(
        catalogue::public_grants(&mut conn, schema.name()).await,
        Vec::<String>::new()
    );
    // The look itself sees something where there is something.
    execute(
        &mut conn,
        format!("GRANT SELECT ON {}.outbox TO PUBLIC", schema.name()),
    )
    .await;
    assert_eq!(
        catalogue::public_grants(&mut conn, schema.name()).await,
        ["table outbox SELECT"]
    );
    Ok(())
}

async fn default_privileges_do_not_open_the_schema() -> Outcome {
    let database = TestDatabase::create("UTF8").await;
    let mut conn = connect_to(&database.url()).await;
    execute(
        &mut conn,
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC",
    )
    .await;
    let [migrated, dumped] = ["migrated", "dumped"].map(|name| name.parse::<SchemaName>().unwrap());

    quietly(&PostgresSettings::from_url(&database.url())?.with_schema(migrated.clone())).await?;
    execute(&mut conn, dump_sql(&dumped)).await;

    for schema in [migrated, dumped] {
        assert_eq!(
            catalogue::public_grants(&mut conn, &schema).await,
            Vec::<String>::new(),
            "{schema}"
        );
    }
    Ok(())
}

async fn nothing_to_do_needs_no_privilege_to_create() -> Outcome {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    let (name, reader) = (schema.name(), &role.name);
    quietly(&schema.settings()).await?;
    execute(
        &mut connect().await,
        format!("GRANT USAGE ON SCHEMA {name} TO {reader}; GRANT SELECT ON {name}.schema_migrations TO {reader}"),
    )
    .await;

    let report = quietly(&schema.settings_by(&role.url())).await?;

    assert_eq!(report.steps.len(), Migration::embedded().len());
    assert!(
        report
            .steps
            .iter()
            .all(|step| step.outcome == StepOutcome::AlreadyThere)
    );
    assert_eq!(
        status(&schema.settings_by(&role.url())).await?.len(),
        report.steps.len()
    );
    Ok(())
}

async fn a_role_that_may_not_read_is_told_what_to_grant() -> Outcome {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    let (name, reader) = (schema.name(), &role.name);
    quietly(&schema.settings()).await?;

    for grant in ["", "GRANT USAGE ON SCHEMA {name} TO {reader}"] {
        let grant = grant
            .replace("{name}", name.as_str())
            .replace("{reader}", reader);
        execute(&mut connect().await, grant).await;
        let error = quietly(&schema.settings_by(&role.url())).await.unwrap_err();
        assert!(
            matches!(error, MigrateError::Schema(SchemaFault::Unreadable { .. })),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .contains("grant it USAGE on the schema and SELECT"),
            "{error}"
        );
    }
    Ok(())
}

async fn a_role_that_may_not_create_is_told_the_ways_out() -> Outcome {
    let role = TestRole::create().await;
    let (absent, empty) = (TestSchema::create(), TestSchema::create());
    let grant = format!(
        "CREATE SCHEMA {0}; GRANT USAGE ON SCHEMA {0} TO {1}",
        empty.name(),
        role.name
    );
    execute(&mut connect().await, grant).await;

    for schema in [&absent, &empty] {
        let error = quietly(&schema.settings_by(&role.url())).await.unwrap_err();
        assert!(matches!(error, MigrateError::Privilege { .. }), "{error:?}");
        assert!(
            error.to_string().contains("dvt migrate --dump-sql"),
            "{error}"
        );
        assert_eq!(
            catalogue::locks(&mut connect().await, schema.name()).await,
            0
        );
    }
    Ok(())
}

async fn an_owner_needs_no_more_than_its_schema() -> Outcome {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    let mut conn = connect().await;
    execute(
        &mut conn,
        format!(
            "CREATE SCHEMA {} AUTHORIZATION {}",
            schema.name(),
            role.name
        ),
    )
    .await;

    let report = quietly(&schema.settings_by(&role.url())).await?;

    assert_eq!(report.applied(), Migration::embedded().len());
    assert_eq!(
        catalogue::public_grants(&mut conn, schema.name()).await,
        Vec::<String>::new()
    );
    Ok(())
}
