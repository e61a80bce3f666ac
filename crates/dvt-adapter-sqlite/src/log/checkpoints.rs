use dvt_contracts::{Checkpoint, InvalidCall, RunKey, SaveOutcome, StoreError};
use sqlx::SqliteConnection;

use super::live_head;
use crate::fault::Fault;
use crate::head::Head;
use crate::value::{count, count32, integer};

struct CheckpointRow {
    run_seq: i64,
    fold_version: i64,
    checksum: String,
    state: String,
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    run: &RunKey,
) -> Result<Result<Option<Checkpoint>, StoreError>, Fault> {
    if Head::load(connection, run).await?.is_none() {
        return Ok(Err(StoreError::RunNotFound { run: run.clone() }));
    }
    Ok(Ok(stored(connection, run).await?))
}

pub(super) async fn save(
    connection: &mut SqliteConnection,
    run: &RunKey,
    checkpoint: &Checkpoint,
) -> Result<Result<SaveOutcome, StoreError>, Fault> {
    let head = match live_head(connection, run).await? {
        Ok(head) => head,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if checkpoint.run_seq > head.last_seq {
        return Ok(Err(StoreError::Invalid(
            InvalidCall::CheckpointBeyondHead {
                run: run.clone(),
                run_seq: checkpoint.run_seq,
                head: head.last_seq,
            },
        )));
    }
    if let Some(stored) = stored(connection, run).await?
        && stored.run_seq > checkpoint.run_seq
    {
        return Ok(Ok(SaveOutcome::Superseded {
            stored: stored.run_seq,
        }));
    }
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let run_seq = integer(checkpoint.run_seq);
    let fold_version = i64::from(checkpoint.fold_version);
    sqlx::query_file!(
        "queries/save_checkpoint.sql",
        tenant_id,
        run_id,
        run_seq,
        fold_version,
        checkpoint.checksum,
        checkpoint.state,
    )
    .execute(connection)
    .await
    .map_err(Fault::of)?;
    Ok(Ok(SaveOutcome::Saved))
}

async fn stored(
    connection: &mut SqliteConnection,
    run: &RunKey,
) -> Result<Option<Checkpoint>, Fault> {
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let row = sqlx::query_file_as!(
        CheckpointRow,
        "queries/load_checkpoint.sql",
        tenant_id,
        run_id
    )
    .fetch_optional(connection)
    .await
    .map_err(Fault::of)?;
    row.map(|row| {
        Ok(Checkpoint {
            run_seq: count(row.run_seq)?,
            fold_version: count32(row.fold_version)?,
            checksum: row.checksum,
            state: row.state,
        })
    })
    .transpose()
}
