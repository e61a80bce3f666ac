use dvt_contracts::{
    EventPage, EventType, IdempotencyKey, MAX_PAGE, MAX_PAGE_BYTES, RunKey, StepId, StoreError,
};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{bigint, count, stored_events};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::parsed::{Parsed, ParsedPayload};
use crate::statement::Statement;

/// `queries/list_events.sql`
struct ListEvents<'a> {
    run: &'a RunKey,
    after_seq: i64,
    limit: i64,
}

struct PageRow {
    last_seq: i64,
    pruned_at: Option<Moment>,
    run_seqs: Vec<i64>,
    event_types: Vec<Parsed<EventType>>,
    step_ids: Vec<Option<Parsed<StepId>>>,
    logical_attempts: Vec<i64>,
    engine_attempts: Vec<i64>,
    idempotency_keys: Vec<Parsed<IdempotencyKey>>,
    emitted_at: Vec<Moment>,
    persisted_at: Vec<Moment>,
    payloads: Vec<ParsedPayload>,
}

impl Statement for ListEvents<'_> {
    const WRITES: bool = false;
    type Reply = Option<PageRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            PageRow,
            "queries/list_events.sql",
            self.run.tenant_id.as_str(),
            self.run.run_id.as_str(),
            self.after_seq,
            self.limit,
            bigint(MAX_PAGE_BYTES as u64),
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn list_events(
    database: &Database,
    run: &RunKey,
    after_seq: u64,
    limit: u32,
) -> Result<EventPage, StoreError> {
    let failed = |fault: Fault| fault.store("list_events");
    let statement = ListEvents {
        run,
        after_seq: bigint(after_seq),
        limit: i64::from(limit.min(MAX_PAGE)),
    };
    let row = database.ask(&database.call(), &statement).await;
    let Some(row) = row.map_err(failed)? else {
        return Err(StoreError::RunNotFound { run: run.clone() });
    };
    Ok(EventPage {
        head: count(row.last_seq).map_err(failed)?,
        pruned_at: row.pruned_at.map(|moment| moment.0),
        events: stored_events!(row).decode().map_err(failed)?,
    })
}
