use dvt_contracts::{Checkpoint, InvalidCall, RunKey, SaveOutcome, StoreError};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{bigint, count, count32};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/load_checkpoint.sql`
struct LoadCheckpoint<'a>(&'a RunKey);

struct CheckpointRow {
    run_seq: Option<i64>,
    fold_version: Option<i64>,
    checksum: Option<String>,
    state: Option<String>,
}

impl Statement for LoadCheckpoint<'_> {
    const WRITES: bool = false;
    type Reply = Option<CheckpointRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            CheckpointRow,
            "queries/load_checkpoint.sql",
            self.0.tenant_id.as_str(),
            self.0.run_id.as_str(),
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn load_checkpoint(
    database: &Database,
    run: &RunKey,
) -> Result<Option<Checkpoint>, StoreError> {
    let failed = |fault: Fault| fault.store("load_checkpoint");
    let row = database.ask(&database.call(), &LoadCheckpoint(run)).await;
    let Some(row) = row.map_err(failed)? else {
        return Err(StoreError::RunNotFound { run: run.clone() });
    };
    let (Some(run_seq), Some(fold_version), Some(checksum), Some(state)) =
        (row.run_seq, row.fold_version, row.checksum, row.state)
    else {
        return Ok(None);
    };
    Ok(Some(Checkpoint {
        run_seq: count(run_seq).map_err(failed)?,
        fold_version: count32(fold_version).map_err(failed)?,
        checksum,
        state,
    }))
}

/// `queries/save_checkpoint.sql`
struct SaveCheckpoint<'a> {
    run: &'a RunKey,
    checkpoint: &'a Checkpoint,
}

struct SavedRow {
    last_seq: i64,
    pruned_at: Option<Moment>,
    saved: bool,
    stored_seq: Option<i64>,
}

impl Statement for SaveCheckpoint<'_> {
    const WRITES: bool = true;
    type Reply = Option<SavedRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            SavedRow,
            "queries/save_checkpoint.sql",
            self.run.tenant_id.as_str(),
            self.run.run_id.as_str(),
            bigint(self.checkpoint.run_seq),
            i64::from(self.checkpoint.fold_version),
            self.checkpoint.checksum,
            self.checkpoint.state,
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn save_checkpoint(
    database: &Database,
    run: &RunKey,
    checkpoint: &Checkpoint,
) -> Result<SaveOutcome, StoreError> {
    let failed = |fault: Fault| fault.store("save_checkpoint");
    let call = database.call();
    let statement = SaveCheckpoint { run, checkpoint };
    let mut attempt = 0;
    loop {
        let row = database.ask(&call, &statement).await.map_err(failed)?;
        let Some(row) = row else {
            return Err(StoreError::RunNotFound { run: run.clone() });
        };
        if let Some(pruned_at) = row.pruned_at {
            return Err(StoreError::RunPruned {
                run: run.clone(),
                pruned_at: pruned_at.0,
            });
        }
        let head = count(row.last_seq).map_err(failed)?;
        if checkpoint.run_seq > head {
            return Err(StoreError::Invalid(InvalidCall::CheckpointBeyondHead {
                run: run.clone(),
                run_seq: checkpoint.run_seq,
                head,
            }));
        }
        if row.saved {
            return Ok(SaveOutcome::Saved);
        }
        let newer = row.stored_seq.map(count).transpose().map_err(failed)?;
        match newer.filter(|stored| *stored > checkpoint.run_seq) {
            Some(stored) => return Ok(SaveOutcome::Superseded { stored }),
            // The newer one was saved while the statement waited: look again.
            None => {
                attempt += 1;
                call.back_off(attempt).await.map_err(failed)?;
            }
        }
    }
}
