use dvt_contracts::{RunEvent, RunKey, Timestamp};
use serde_json::json;
use sqlx::SqliteConnection;

use crate::fault::Fault;
use crate::head::Head;

/// The events of one INSERT. Payloads travel side by side, not as JSON within JSON.
#[derive(Debug, Default)]
pub(super) struct Batch {
    rows: Vec<serde_json::Value>,
    payloads: Vec<u8>,
}

impl Batch {
    pub(super) fn push(&mut self, run: &RunKey, stored: &RunEvent) {
        let event = &stored.event;
        let payload = event.payload().as_str();
        // SQL counts from 1.
        let offset = self.payloads.len() + 1;
        self.payloads.extend_from_slice(payload.as_bytes());
        self.rows.push(json!([
            run.tenant_id.as_str(),
            run.run_id.as_str(),
            stored.run_seq,
            event.event_type().as_str(),
            event.step_id().map(AsRef::<str>::as_ref),
            event.logical_attempt().get(),
            event.engine_attempt().get(),
            event.idempotency_key().as_str(),
            event.emitted_at().as_micros(),
            stored.persisted_at.as_micros(),
            payload.len(),
            offset,
        ]));
    }

    pub(super) async fn insert(self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        let expected = self.rows.len();
        let rows = serde_json::Value::Array(self.rows).to_string();
        let payloads = self.payloads;
        let inserted = sqlx::query_file!("queries/insert_events.sql", rows, payloads)
            .execute(connection)
            .await
            .map_err(Fault::of)?;
        check("insert", inserted.rows_affected(), expected)
    }
}

/// Writes what appends change of heads.
pub(super) async fn move_heads(
    connection: &mut SqliteConnection,
    heads: &[Head],
) -> Result<(), Fault> {
    let rows = heads.iter().map(|head| {
        json!([
            head.run.tenant_id.as_str(),
            head.run.run_id.as_str(),
            head.last_seq,
            head.last_persisted_at.map(Timestamp::as_micros),
            head.status.as_str(),
            head.due_at.map(Timestamp::as_micros),
        ])
    });
    let rows = serde_json::Value::Array(rows.collect()).to_string();
    let moved = sqlx::query_file!("queries/move_heads.sql", rows)
        .execute(connection)
        .await
        .map_err(Fault::of)?;
    check("heads", moved.rows_affected(), heads.len())
}

fn check(what: &str, found: u64, expected: usize) -> Result<(), Fault> {
    if found == expected as u64 {
        return Ok(());
    }
    Err(Fault::corrupt(what, format!("{found} of {expected} rows")))
}
