//! A program needs the rights that `migrations/README.md` grants, and no others (CASES K 99).

use std::time::Duration;

use dvt_adapter_postgres::{PostgresStore, migrate};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, Checkpoint, ClaimRequest, Destination, Event, EventType,
    OperatorNote, OutboxStorage, OutboxStorageExt, PendingQuery, ProviderRef, RunKey, RunMetadata,
    RunQuery, RunStateStore, RunStateStoreExt, Timestamp,
};
use sqlx::{AssertSqlSafe, Executor as _};

use crate::server::{TestRole, TestSchema, connect, connect_to, execute};
use crate::trial::{Outcome, trials};

trials!(
    the_granted_rights_are_enough,
    the_granted_rights_are_not_more_than_that,
);

/// The one SQL block of the guide, for this schema and role.
pub(crate) fn grants(schema: &TestSchema, role: &TestRole) -> String {
    let guide = include_str!("../../../../migrations/README.md");
    let block = guide.split("```sql").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    block
        .replace(":schema", schema.name().as_str())
        .replace(":role", &role.name)
}

async fn prepared() -> Result<(TestRole, TestSchema), Box<dyn std::error::Error + Send + Sync>> {
    let role = TestRole::create().await;
    let schema = TestSchema::create();
    migrate(&schema.settings(), &mut |_| ()).await?;
    execute(&mut connect().await, grants(&schema, &role)).await;
    Ok((role, schema))
}

fn event(event_type: EventType, key: &str) -> Event {
    Event::new(event_type, None, key.parse().unwrap(), Timestamp::now()).unwrap()
}

async fn the_granted_rights_are_enough() -> Outcome {
    let (role, schema) = prepared().await?;
    let store = PostgresStore::connect(schema.settings_by(&role.url())).await?;
    let run = RunKey::new("acme".parse()?, "run-1".parse()?);
    let metadata = RunMetadata {
        project_id: "shop".parse()?,
        environment_id: "test".parse()?,
        plan_id: "nightly".parse()?,
        plan_version: "1".parse()?,
    };
    let first = vec![event(EventType::RunStarted, "start")];
    let note = OperatorNote::new("me", "a test");
    let claim = ClaimRequest {
        max_runs: 1,
        max_events_per_run: 10,
        max_bytes: 1_000,
        lease: Duration::from_secs(60),
    };

    store
        .bootstrap_run(&BootstrapRequest {
            run: run.clone(),
            metadata,
            events: first,
        })
        .await?;
    let ended = event(EventType::RunCompleted, "end");
    let request = AppendRequest::new(run.clone(), vec![ended]);
    store.append_and_enqueue(request.clone()).await?;
    store.append_and_enqueue(request).await?;
    store
        .save_provider_ref(&run, &ProviderRef::new("temporal", None, "w", None)?)
        .await?;
    let state = store.load_state(&run).await?;
    store.save_checkpoint(&run, &Checkpoint::of(&state)).await?;
    store.load_checkpoint(&run).await?;
    store
        .list_runs(&RunQuery::new(run.tenant_id.clone()))
        .await?;
    store.list_tenants(None, 10).await?;
    store.bind_destination(&Destination::new("a")?).await?;
    let (from, to) = (Destination::new("a")?, Destination::new("b")?);
    store.retarget(&from, &to, &note).await?;
    let lease = store.claim(&claim).await?.remove(0).lease;
    let lease = store.extend_one(&lease, Duration::from_secs(90)).await?;
    store.release_one(&lease).await?;
    let lease = store.claim(&claim).await?.remove(0).lease;
    store
        .mark_failed(&lease, 1, &"no".into(), &Default::default())
        .await?;
    let letter = store.park_run(&run, &note).await?;
    store
        .retry_dead_letter(&run, letter.dead_letter_no, &note)
        .await?;
    store.list_pending(&PendingQuery::default()).await?;
    store.list_dead_letters(&Default::default()).await?;
    store.stats().await?;
    let lease = store.claim(&claim).await?.remove(0).lease;
    store.acknowledge(&lease, 2).await?;
    let pruned = store.prune_run(&run).await?;

    assert_eq!(pruned.removed, 2);
    Ok(())
}

async fn the_granted_rights_are_not_more_than_that() -> Outcome {
    let (role, schema) = prepared().await?;
    let name = schema.name();
    let mut connection = connect_to(&role.url()).await;

    for statement in [
        format!("CREATE TABLE {name}.mine ()"),
        format!("CREATE FUNCTION {name}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        format!("ALTER TABLE {name}.outbox ADD COLUMN mine int"),
        format!("ALTER TABLE {name}.run_events DISABLE TRIGGER ALL"),
        format!("DROP TABLE {name}.run_checkpoints"),
        format!("TRUNCATE {name}.run_events"),
        format!("UPDATE {name}.run_events SET payload = '1'"),
        format!("DELETE FROM {name}.outbox"),
        format!("DELETE FROM {name}.run_metadata"),
        format!("DELETE FROM {name}.outbox_dead_letters"),
        format!("INSERT INTO {name}.schema_migrations VALUES (9, 'x', now(), true, '', 0)"),
        format!("DELETE FROM {name}.schema_migrations"),
    ] {
        let refused = connection.execute(AssertSqlSafe(statement.clone())).await;
        let error = refused
            .err()
            .unwrap_or_else(|| panic!("allowed: {statement}"));
        let code = error
            .as_database_error()
            .and_then(|error| error.code().map(String::from));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }
    Ok(())
}
