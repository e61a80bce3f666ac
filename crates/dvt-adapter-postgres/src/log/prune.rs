use dvt_contracts::{PruneOutcome, RunKey, StoreError};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{count, text};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// Events and payload bytes removed by one statement: few enough for the statement's timeout.
const BATCH: u64 = 5_000;
const BATCH_BYTES: i64 = 256 * 1024 * 1024;

/// `queries/prune_mark.sql`
struct Mark<'a> {
    run: &'a RunKey,
    clock_shift: i64,
}

struct MarkedRow {
    status: String,
    last_seq: i64,
    delivered_seq: i64,
    pruned_at: Option<Moment>,
}

impl Statement for Mark<'_> {
    const WRITES: bool = true;
    type Reply = Option<MarkedRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            MarkedRow,
            "queries/prune_mark.sql",
            self.run.tenant_id.as_str(),
            self.run.run_id.as_str(),
            self.clock_shift,
        )
        .fetch_optional(connection)
        .await
    }
}

/// `queries/prune_remove.sql`
struct Remove<'a>(&'a RunKey);

struct RemovedRow {
    seen: i64,
    removed: i64,
}

impl Statement for Remove<'_> {
    const WRITES: bool = true;
    type Reply = RemovedRow;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            RemovedRow,
            "queries/prune_remove.sql",
            self.0.tenant_id.as_str(),
            self.0.run_id.as_str(),
            BATCH as i64,
            BATCH_BYTES,
        )
        .fetch_one(connection)
        .await
    }
}

pub(super) async fn prune_run(
    database: &Database,
    run: &RunKey,
) -> Result<PruneOutcome, StoreError> {
    let failed = |fault: Fault| fault.store("prune_run");
    let mark = Mark {
        run,
        clock_shift: database.clock_shift(),
    };
    let row = database
        .ask(&database.call(), &mark)
        .await
        .map_err(failed)?;
    let Some(row) = row else {
        return Err(StoreError::RunNotFound { run: run.clone() });
    };
    let Some(pruned_at) = row.pruned_at else {
        return Err(StoreError::NotPrunable {
            run: run.clone(),
            status: text("status", &row.status).map_err(failed)?,
            delivered_seq: count(row.delivered_seq).map_err(failed)?,
            head: count(row.last_seq).map_err(failed)?,
        });
    };
    let mut removed = 0;
    loop {
        // Each statement has its own deadline: a long log takes as long as it takes.
        let mut call = database.call();
        call.had_effect();
        let batch = database.ask(&call, &Remove(run)).await.map_err(failed)?;
        let (seen, gone) = (count(batch.seen), count(batch.removed));
        let (seen, gone) = (seen.map_err(failed)?, gone.map_err(failed)?);
        removed += gone;
        // What was seen and not removed, another prune may be removing: look again.
        if seen < BATCH && gone == seen {
            return Ok(PruneOutcome {
                pruned_at: pruned_at.0,
                removed,
            });
        }
    }
}
