//! CASES B 24: what is in the log stays as it is, whoever asks.

use dvt_conformance::fixture::{event, notes};
use dvt_contracts::{EventType, RunStateStore as _};
use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use crate::ground::Ground;
use crate::server::execute;
use crate::trial::{Outcome, trials};

trials![
    b24_no_event_is_changed_or_removed,
    b24_events_of_a_pruned_run_can_be_removed,
];

/// The state by which the database refuses, if it does.
async fn refusal(conn: &mut PgConnection, sql: &str) -> Option<String> {
    let error = conn.execute(AssertSqlSafe(sql.to_owned())).await.err()?;
    let database = error.into_database_error()?;
    let postgres = database.try_downcast_ref::<PgDatabaseError>()?;
    Some(postgres.code().to_owned())
}

async fn b24_no_event_is_changed_or_removed() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap("run").await;
    ground.append(&run, notes(1, 3)).await?;
    // By whoever made the schema, a superuser in most set-ups.
    let mut conn = ground.connection().await;

    for sql in [
        "UPDATE run_events SET payload = '1'",
        "UPDATE run_events SET run_seq = run_seq",
        "UPDATE run_events SET run_seq = 9 WHERE run_seq = 3",
        "UPDATE run_events SET run_seq = 1 WHERE false",
        "INSERT INTO run_events SELECT * FROM run_events ON CONFLICT ON CONSTRAINT run_events_pkey DO UPDATE SET payload = '1'",
        "DELETE FROM run_events",
        "DELETE FROM run_events WHERE run_seq = 3",
        "WITH gone AS (DELETE FROM run_events RETURNING 1) SELECT count(*) FROM gone",
        "TRUNCATE run_events",
        "TRUNCATE run_events, outbox, run_metadata, outbox_dead_letters, run_checkpoints",
        "TRUNCATE run_metadata CASCADE; TRUNCATE run_events CASCADE",
    ] {
        assert_eq!(
            refusal(&mut conn, sql).await.as_deref(),
            Some("DVT01"),
            "{sql}"
        );
    }

    let page = ground.store.list_events(&run, 0, 10).await?;
    let stored: Vec<_> = page.events.into_iter().map(|stored| stored.event).collect();
    assert_eq!(stored, notes(1, 3));
    Ok(())
}

async fn b24_events_of_a_pruned_run_can_be_removed() -> Outcome {
    let ground = Ground::new().await;
    let (pruned, kept) = (
        ground.bootstrap("pruned").await,
        ground.bootstrap("kept").await,
    );
    for run in [&pruned, &kept] {
        ground
            .append(run, vec![event(EventType::RunCompleted, "end")])
            .await?;
    }
    let mut conn = ground.connection().await;
    execute(
        &mut conn,
        "UPDATE outbox SET delivered_seq = last_seq, due_at = NULL, pending_since = NULL, pruned_at = now() WHERE run_id = 'pruned'",
    )
    .await;

    // One run that is not pruned keeps the whole statement from happening.
    assert_eq!(
        refusal(&mut conn, "DELETE FROM run_events")
            .await
            .as_deref(),
        Some("DVT01")
    );
    assert_eq!(
        refusal(&mut conn, "DELETE FROM run_events WHERE run_id = 'pruned'").await,
        None
    );

    let left: Vec<String> = sqlx::query_scalar("SELECT run_id FROM run_events")
        .fetch_all(&mut conn)
        .await?;
    assert_eq!(left, ["kept"]);
    Ok(())
}
