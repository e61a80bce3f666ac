//! What the doctor finds is there, and what is there it finds.

use std::time::Duration;

use dvt_adapter_postgres::{Check, Doctor, Finding, Severity, migrate};

use crate::ground::{Ground, becomes_true};
use crate::own_server::OwnServer;
use crate::server::{TestDatabase, TestRole, TestSchema, connect, connect_to, execute};
use crate::trial::{Outcome, trials};

trials![
    a_store_of_the_granted_role_is_healthy,
    a_long_transaction_is_told_with_its_session,
    a_session_that_hides_its_age_is_not_forgotten,
    a_missing_privilege_is_told_with_its_grant,
    an_invalid_index_is_told_with_its_remedy,
    what_was_taken_away_is_missed,
    settings_that_break_a_promise_are_faults,
    without_a_schema_there_is_nothing_else_to_tell,
    dead_rows_and_a_table_without_vacuum_are_told,
];

/// The findings of one check.
fn of(findings: &[Finding], check: Check) -> Vec<&Finding> {
    findings
        .iter()
        .filter(|found| found.check == check)
        .collect()
}

/// The only finding of a check.
fn only(findings: &[Finding], check: Check) -> &Finding {
    match of(findings, check)[..] {
        [only] => only,
        ref found => panic!("{found:#?}"),
    }
}

/// A role with what `migrations/README.md` grants, and a migrated schema.
async fn granted() -> Result<(TestRole, TestSchema), Box<dyn std::error::Error + Send + Sync>> {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    migrate(&schema.settings(), &mut |_| ()).await?;
    let grants = crate::runtime_role::grants(&schema, &role);
    execute(&mut connect().await, grants).await;
    Ok((role, schema))
}

async fn a_store_of_the_granted_role_is_healthy() -> Outcome {
    let (role, schema) = granted().await?;

    let doctor = Doctor::new(schema.settings_by(&role.url()));
    let findings = doctor.examine().await?;

    for check in [
        Check::Server,
        Check::Pooler,
        Check::Tls,
        Check::Clock,
        Check::Migrations,
        Check::Privileges,
        Check::Indexes,
        Check::Triggers,
        Check::Tables,
    ] {
        assert_eq!(
            only(&findings, check).severity,
            Severity::Good,
            "{findings:#?}"
        );
    }
    for finding in &findings {
        assert_eq!(
            finding.remedy.is_some(),
            finding.severity >= Severity::Warning,
            "{finding:?}"
        );
    }
    Ok(())
}

async fn a_long_transaction_is_told_with_its_session() -> Outcome {
    let ground = Ground::new().await;
    let doctor = Doctor::new(ground.schema.settings());
    let mut other = connect().await;
    execute(&mut other, "SET application_name = 'a backup'").await;
    execute(&mut other, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut other)
        .await?;
    let told = async |long| {
        let doctor = doctor.clone().with_long_transaction(long);
        let findings = doctor.examine().await.unwrap();
        let findings = findings.into_iter();
        findings
            .filter(|found| found.found.starts_with(&format!("session {pid} of ")))
            .collect::<Vec<_>>()
    };

    assert_eq!(told(Duration::from_secs(3_600)).await, []);
    let long = Duration::from_millis(50);
    assert!(becomes_true(async || !told(long).await.is_empty()).await);
    let [found] = &told(long).await[..] else {
        panic!("not one finding")
    };
    assert_eq!(
        (found.check, found.severity),
        (Check::Transactions, Severity::Warning)
    );
    assert!(
        found
            .found
            .contains("(a backup, idle in transaction) has been in a transaction for"),
        "{found:?}"
    );
    assert!(found.found.contains("claims slow down"), "{found:?}");
    let remedy = format!("SELECT pg_terminate_backend({pid})");
    assert!(
        found.remedy.as_deref().unwrap().contains(&remedy),
        "{found:?}"
    );

    execute(&mut other, "ROLLBACK").await;
    assert_eq!(told(long).await, []);
    Ok(())
}

/// Another role's session does not tell when its transaction began; how many came after it can be seen.
async fn a_session_that_hides_its_age_is_not_forgotten() -> Outcome {
    let (role, schema) = granted().await?;
    let mut other = connect().await;
    execute(&mut other, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut other)
        .await?;
    let mut busy = connect().await;
    execute(&mut busy, "CREATE TEMP TABLE made (at int)").await;
    // A transaction for each.
    let many = "DO $$ BEGIN FOR i IN 1..100001 LOOP BEGIN INSERT INTO made VALUES (i); EXCEPTION WHEN others THEN RAISE; \
                END; END LOOP; END $$";
    execute(&mut busy, many).await;

    let doctor = Doctor::new(schema.settings_by(&role.url()));
    let findings = doctor.examine().await?;

    let told = of(&findings, Check::Transactions);
    assert!(
        told.iter().any(
            |found| found.found.starts_with(&format!("session {pid} of "))
                && found.found.contains("its age is hidden from this role")
        ),
        "{told:#?}"
    );
    execute(&mut other, "ROLLBACK").await;
    Ok(())
}

async fn a_missing_privilege_is_told_with_its_grant() -> Outcome {
    let (role, schema) = granted().await?;
    let (name, user) = (schema.name(), &role.name);
    let doctor = Doctor::new(schema.settings_by(&role.url()));
    let mut owner = connect().await;
    execute(
        &mut owner,
        format!("REVOKE UPDATE, INSERT ON {name}.outbox FROM {user}"),
    )
    .await;

    let findings = doctor.examine().await?;
    let found = only(&findings, Check::Privileges);
    assert_eq!(found.severity, Severity::Fault);
    assert_eq!(
        found.found,
        format!("role {user} lacks INSERT, UPDATE on outbox")
    );

    // The remedy is one.
    execute(&mut owner, found.remedy.clone().unwrap()).await;
    let findings = doctor.examine().await?;
    assert_eq!(
        only(&findings, Check::Privileges).severity,
        Severity::Good,
        "{findings:#?}"
    );

    let usage = format!("REVOKE USAGE ON SCHEMA {name} FROM {user}");
    execute(&mut owner, usage).await;
    let findings = doctor.examine().await?;
    let found = only(&findings, Check::Privileges);
    assert_eq!(
        found.remedy.as_deref(),
        Some(&*format!("GRANT USAGE ON SCHEMA {name} TO {user}"))
    );
    execute(&mut owner, found.remedy.clone().unwrap()).await;
    let grant = format!("GRANT UPDATE ON {name}.run_events TO {user}");
    execute(&mut owner, grant).await;
    let findings = doctor.examine().await?;
    assert_eq!(only(&findings, Check::Privileges).severity, Severity::Note);
    Ok(())
}

async fn an_invalid_index_is_told_with_its_remedy() -> Outcome {
    let ground = Ground::new().await;
    let name = ground.schema.name();
    let doctor = Doctor::new(ground.schema.settings());
    let mut owner = connect().await;
    // What a CREATE INDEX CONCURRENTLY leaves that was cut short.
    let invalid = format!(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}.outbox_due_at'::regclass"
    );
    execute(&mut owner, invalid).await;

    let findings = doctor.examine().await?;
    let found = only(&findings, Check::Indexes);
    assert_eq!(found.severity, Severity::Fault);
    assert_eq!(
        found.found,
        "index outbox_due_at on outbox is not valid: statements do not use it"
    );

    execute(&mut owner, found.remedy.clone().unwrap()).await;
    let findings = doctor.examine().await?;
    assert_eq!(
        only(&findings, Check::Indexes).severity,
        Severity::Good,
        "{findings:#?}"
    );

    // Somebody's own, that failed: unique, where it cannot be.
    let run = ground.bootstrap("a").await;
    ground
        .append(&run, dvt_conformance::fixture::notes(1, 2))
        .await?;
    let own = format!("CREATE UNIQUE INDEX CONCURRENTLY \"my own\" ON {name}.run_events (run_id)");
    let refused = sqlx::query(sqlx::AssertSqlSafe(own))
        .execute(&mut owner)
        .await;
    assert!(refused.is_err());
    let findings = doctor.examine().await?;
    let found = only(&findings, Check::Indexes);
    assert_eq!(found.severity, Severity::Warning);
    assert!(
        found
            .remedy
            .as_deref()
            .unwrap()
            .starts_with(&format!("DROP INDEX CONCURRENTLY {name}.\"my own\",")),
        "{found:?}"
    );
    Ok(())
}

async fn what_was_taken_away_is_missed() -> Outcome {
    let ground = Ground::new().await;
    let mut owner = ground.connection().await;
    execute(
        &mut owner,
        "DROP INDEX outbox_due_at; ALTER TABLE run_events DISABLE TRIGGER run_events_append_only; \
         DROP TRIGGER run_events_delete_pruned ON run_events",
    )
    .await;

    let findings = Doctor::new(ground.schema.settings()).examine().await?;

    let index = only(&findings, Check::Indexes);
    assert_eq!(index.found, "index outbox_due_at on outbox is missing");
    let triggers = of(&findings, Check::Triggers);
    let told: Vec<_> = triggers.iter().map(|found| found.found.as_str()).collect();
    assert_eq!(
        told,
        [
            "trigger run_events_append_only is disabled: nothing keeps events from being changed",
            "trigger run_events_delete_pruned is missing: nothing keeps events from being changed"
        ]
    );
    execute(&mut owner, triggers[0].remedy.clone().unwrap()).await;
    let findings = Doctor::new(ground.schema.settings()).examine().await?;
    assert_eq!(of(&findings, Check::Triggers).len(), 1);
    Ok(())
}

async fn settings_that_break_a_promise_are_faults() -> Outcome {
    let (role, schema) = granted().await?;
    let user = &role.name;
    execute(
        &mut connect().await,
        format!("ALTER ROLE {user} SET synchronous_commit = off; ALTER ROLE {user} SET default_transaction_read_only = on"),
    )
    .await;

    let findings = Doctor::new(schema.settings_by(&role.url()))
        .examine()
        .await?;

    let commit = format!("ALTER ROLE {user} SET synchronous_commit = on");
    assert!(
        of(&findings, Check::Settings)
            .iter()
            .any(|found| found.severity == Severity::Fault
                && found.remedy.as_deref() == Some(&commit)),
        "{findings:#?}"
    );
    let server = only(&findings, Check::Server);
    assert_eq!(server.severity, Severity::Fault, "{server:?}");
    assert!(server.found.contains("read-only"), "{server:?}");

    // A server of one's own has fsync off.
    if let Some(server) = OwnServer::start() {
        let settings = dvt_adapter_postgres::PostgresSettings::from_url(&server.url())?;
        let findings = Doctor::new(settings).examine().await?;
        let fsync = only(&findings, Check::Settings);
        assert_eq!(fsync.severity, Severity::Fault);
        assert!(fsync.found.starts_with("fsync is off"), "{fsync:?}");
    }
    Ok(())
}

async fn without_a_schema_there_is_nothing_else_to_tell() -> Outcome {
    let schema = TestSchema::create();
    let findings = Doctor::new(schema.settings()).examine().await?;
    let migrations = only(&findings, Check::Migrations);
    assert_eq!(migrations.severity, Severity::Fault);
    assert!(migrations.found.contains("dvt migrate"), "{migrations:?}");
    for check in [
        Check::Privileges,
        Check::Indexes,
        Check::Triggers,
        Check::Tables,
    ] {
        assert_eq!(of(&findings, check).len(), 0, "{check}");
    }

    // A database that keeps texts in another way is a finding, not a failure.
    let database = TestDatabase::create("SQL_ASCII").await;
    let settings = dvt_adapter_postgres::PostgresSettings::from_url(&database.url())?;
    let findings = Doctor::new(settings).examine().await?;
    assert_eq!(
        only(&findings, Check::Server).remedy.as_deref(),
        Some("move the store to a database created with ENCODING 'UTF8'")
    );
    Ok(())
}

async fn dead_rows_and_a_table_without_vacuum_are_told() -> Outcome {
    let ground = Ground::new().await;
    let name = ground.schema.name();
    let mut owner = ground.connection().await;
    execute(
        &mut owner,
        "ALTER TABLE outbox_destination SET (autovacuum_enabled = false); \
         INSERT INTO outbox_destination (destination) VALUES ('a')",
    )
    .await;
    // One row, changed in one transaction each: what vacuum would take away.
    execute(
        &mut owner,
        "DO $$ BEGIN FOR i IN 1..10001 LOOP UPDATE outbox_destination SET destination = 'b' || i; END LOOP; END $$",
    )
    .await;
    // The counts are told when a session ends, or is idle for a while.
    drop(owner);
    let doctor = Doctor::new(ground.schema.settings());
    let told = async || {
        let findings = doctor.examine().await.unwrap();
        let tables = of(&findings, Check::Tables).into_iter();
        tables
            .filter_map(|found| found.remedy.clone())
            .collect::<Vec<_>>()
    };

    let reset = format!("ALTER TABLE {name}.outbox_destination RESET (autovacuum_enabled)");
    let vacuum =
        format!("VACUUM {name}.outbox_destination, after ending what is listed under transactions");
    let expected = [reset, vacuum];
    assert!(
        becomes_true(async || told().await == expected).await,
        "{:?}",
        told().await
    );

    // Both remedies are ones.
    let mut owner = connect_to(&crate::server::url()).await;
    execute(&mut owner, expected[0].clone()).await;
    execute(&mut owner, format!("VACUUM {name}.outbox_destination")).await;
    assert!(becomes_true(async || told().await.is_empty()).await);
    Ok(())
}
