use dvt_contracts::{PruneOutcome, RunKey, StoreError, Timestamp};
use sqlx::SqliteConnection;

use crate::fault::Fault;
use crate::head::Head;

pub(super) async fn prune_run(
    connection: &mut SqliteConnection,
    run: &RunKey,
    now: Timestamp,
) -> Result<Result<PruneOutcome, StoreError>, Fault> {
    let Some(mut head) = Head::load(connection, run).await? else {
        return Ok(Err(StoreError::RunNotFound { run: run.clone() }));
    };
    if let Some(pruned_at) = head.pruned_at {
        return Ok(Ok(PruneOutcome {
            pruned_at,
            removed: 0,
        }));
    }
    if !head.status.is_terminal() || head.is_pending() {
        return Ok(Err(StoreError::NotPrunable {
            run: run.clone(),
            status: head.status,
            delivered_seq: head.delivered_seq,
            head: head.last_seq,
        }));
    }
    // First, since the log lets go of no other run's events.
    head.pruned_at = Some(now);
    head.save(connection).await?;
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let removed = sqlx::query_file!("queries/delete_events.sql", tenant_id, run_id)
        .execute(&mut *connection)
        .await
        .map_err(Fault::of)?
        .rows_affected();
    sqlx::query_file!("queries/delete_checkpoint.sql", tenant_id, run_id)
        .execute(connection)
        .await
        .map_err(Fault::of)?;
    Ok(Ok(PruneOutcome {
        pruned_at: now,
        removed,
    }))
}
