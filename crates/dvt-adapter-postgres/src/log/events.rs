use dvt_contracts::{EventPage, MAX_PAGE, MAX_PAGE_BYTES, RunKey, StoreError};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{StoredEvent, bigint, count, text};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/list_events.sql`
struct ListEvents<'a> {
    run: &'a RunKey,
    after_seq: i64,
    limit: i64,
}

struct EventRow {
    last_seq: i64,
    pruned_at: Option<Moment>,
    run_seq: Option<i64>,
    event_type: Option<String>,
    step_id: Option<String>,
    logical_attempt: Option<i64>,
    engine_attempt: Option<i64>,
    idempotency_key: Option<String>,
    emitted_at: Option<Moment>,
    persisted_at: Option<Moment>,
    payload: Option<String>,
}

impl Statement for ListEvents<'_> {
    const WRITES: bool = false;
    type Reply = Vec<EventRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            EventRow,
            "queries/list_events.sql",
            self.run.tenant_id.as_str(),
            self.run.run_id.as_str(),
            self.after_seq,
            self.limit,
            bigint(MAX_PAGE_BYTES as u64),
        )
        .fetch_all(connection)
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
    let rows = database.ask(&database.call(), &statement).await;
    let rows = rows.map_err(failed)?;
    let Some(first) = rows.first() else {
        return Err(StoreError::RunNotFound { run: run.clone() });
    };
    let mut page = EventPage {
        head: count(first.last_seq).map_err(failed)?,
        pruned_at: first.pruned_at.map(|moment| moment.0),
        events: Vec::with_capacity(rows.len()),
    };
    for row in rows {
        let Some(key) = row.idempotency_key else {
            continue;
        };
        let columns = StoredEvent {
            run_seq: row.run_seq,
            event_type: row.event_type,
            step_id: row.step_id,
            logical_attempt: row.logical_attempt,
            engine_attempt: row.engine_attempt,
            emitted_at: row.emitted_at,
            persisted_at: row.persisted_at,
            payload: row.payload,
        };
        let key = text("idempotency key", &key).map_err(failed)?;
        page.events.extend(columns.decode(key).map_err(failed)?);
    }
    Ok(page)
}
