use dvt_contracts::{EventPage, MAX_PAGE, MAX_PAGE_BYTES, RunEvent, RunKey};
use sqlx::SqliteConnection;

use crate::event_row::EventRow;
use crate::fault::Fault;
use crate::head::Head;
use crate::value::integer;

pub(super) async fn list_events(
    connection: &mut SqliteConnection,
    run: &RunKey,
    after_seq: u64,
    limit: u32,
) -> Result<Option<EventPage>, Fault> {
    let Some(head) = Head::load(connection, run).await? else {
        return Ok(None);
    };
    let limit = limit.min(MAX_PAGE);
    let events = match head.pruned_at {
        Some(_) => Vec::new(),
        None => {
            page(
                connection,
                run,
                after_seq,
                limit,
                MAX_PAGE_BYTES as u64,
                true,
            )
            .await?
        }
    };
    Ok(Some(EventPage {
        head: head.last_seq,
        pruned_at: head.pruned_at,
        events,
    }))
}

/// The events after `after_seq`: at most `limit`, with at most `bytes` of payload; `always` one, if there is one.
pub(crate) async fn page(
    connection: &mut SqliteConnection,
    run: &RunKey,
    after_seq: u64,
    limit: u32,
    bytes: u64,
    always: bool,
) -> Result<Vec<RunEvent>, Fault> {
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let (after_seq, bytes) = (integer(after_seq), integer(bytes));
    let rows = sqlx::query_file_as!(
        EventRow,
        "queries/list_events.sql",
        tenant_id,
        run_id,
        after_seq,
        limit,
        bytes,
        always,
    )
    .fetch_all(connection)
    .await
    .map_err(Fault::of)?;
    rows.into_iter().map(EventRow::decode).collect()
}
