use std::collections::HashMap;

use dvt_contracts::{BootstrapOutcome, BootstrapRequest, Event, StoreError, Timestamp};
use sqlx::SqliteConnection;

use super::runs;
use crate::append::{Known, Work};
use crate::fault::Fault;

pub(super) async fn bootstrap(
    connection: &mut SqliteConnection,
    request: &BootstrapRequest,
    now: Timestamp,
) -> Result<Result<BootstrapOutcome, StoreError>, Fault> {
    let run = &request.run;
    let stored = runs::get_run(connection, run).await?;
    let named = [(run, request.events.as_slice())];
    if stored.is_none() {
        insert(connection, request, now).await?;
    }
    let mut work = Work::load(connection, &named).await?;
    let Some(known) = work.known(run) else {
        return Err(Fault::corrupt("run", "it has metadata but no head"));
    };
    if let Some(stored) = &stored {
        if let Some(pruned_at) = stored.pruned_at {
            let run = run.clone();
            return Ok(Err(StoreError::RunPruned { run, pruned_at }));
        }
        if stored.metadata != request.metadata || !has_all(known, &request.events) {
            let run = run.clone();
            return Ok(Err(StoreError::RunAlreadyExists { run }));
        }
    }
    let events = work.write(run, &request.events, now);
    work.save(connection).await?;
    Ok(Ok(BootstrapOutcome {
        created: stored.is_none(),
        created_at: stored.map_or(now, |stored| stored.created_at),
        events,
    }))
}

/// Whether all of these events are known with the same content. Of a repeated key, the first use counts.
fn has_all(known: &Known, events: &[Event]) -> bool {
    let mut firsts = HashMap::new();
    for event in events {
        firsts.entry(event.idempotency_key()).or_insert(event);
    }
    firsts.into_iter().all(|(key, event)| {
        let stored = known.get(key);
        stored.is_some_and(|stored| event.same_content(&stored.event))
    })
}

async fn insert(
    connection: &mut SqliteConnection,
    request: &BootstrapRequest,
    now: Timestamp,
) -> Result<(), Fault> {
    let (tenant_id, run_id) = (request.run.tenant_id.as_str(), request.run.run_id.as_str());
    let metadata = &request.metadata;
    let project_id = metadata.project_id.as_str();
    let environment_id = metadata.environment_id.as_str();
    let plan_id = metadata.plan_id.as_str();
    let plan_version = metadata.plan_version.as_str();
    let created_at = now.as_micros();
    sqlx::query_file!(
        "queries/insert_run.sql",
        tenant_id,
        run_id,
        project_id,
        environment_id,
        plan_id,
        plan_version,
        created_at,
    )
    .execute(&mut *connection)
    .await
    .map_err(Fault::of)?;
    sqlx::query_file!("queries/insert_head.sql", tenant_id, run_id)
        .execute(connection)
        .await
        .map(drop)
        .map_err(Fault::of)
}
