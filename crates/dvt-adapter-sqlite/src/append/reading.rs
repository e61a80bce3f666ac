use std::collections::HashSet;

use dvt_contracts::{Event, RunEvent, RunKey};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::event_row::EventRow;
use crate::fault::Fault;
use crate::head::{Head, HeadRow};

/// The heads of those runs that are there.
pub(super) async fn heads(
    connection: &mut SqliteConnection,
    named: &[(&RunKey, &[Event])],
) -> Result<Vec<Head>, Fault> {
    let mut seen = HashSet::new();
    let runs: Vec<&RunKey> = named
        .iter()
        .map(|(run, _)| *run)
        .filter(|run| seen.insert(*run))
        .collect();
    let keys = runs
        .iter()
        .enumerate()
        .map(|(number, run)| json!([number, run.tenant_id.as_str(), run.run_id.as_str()]));
    let keys = Value::Array(keys.collect()).to_string();
    let rows = sqlx::query_file!("queries/load_heads.sql", keys)
        .fetch_all(connection)
        .await
        .map_err(Fault::of)?;
    let mut heads = Vec::with_capacity(rows.len());
    for row in rows {
        let run = at(&runs, row.at)?;
        let row = HeadRow {
            last_seq: row.last_seq,
            last_persisted_at: row.last_persisted_at,
            status: row.status,
            pruned_at: row.pruned_at,
            delivered_seq: row.delivered_seq,
            due_at: row.due_at,
            claim_no: row.claim_no,
            lease_token: row.lease_token,
            lease_expires_at: row.lease_expires_at,
            unfinished_claims: row.unfinished_claims,
            attempts: row.attempts,
            last_error: row.last_error,
            dead_letters: row.dead_letters,
            parked_at: row.parked_at,
        };
        heads.push(row.decode(run)?);
    }
    Ok(heads)
}

/// The events that have one of the keys, each with its run.
pub(super) async fn known<'a>(
    connection: &mut SqliteConnection,
    named: &[(&'a RunKey, &[Event])],
) -> Result<Vec<(&'a RunKey, RunEvent)>, Fault> {
    let runs: Vec<&RunKey> = named.iter().map(|(run, _)| *run).collect();
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for (number, (run, events)) in named.iter().enumerate() {
        for key in events.iter().map(Event::idempotency_key) {
            if seen.insert((*run, key)) {
                let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
                keys.push(json!([number, tenant_id, run_id, key.as_str()]));
            }
        }
    }
    let keys = Value::Array(keys).to_string();
    let rows = sqlx::query_file!("queries/known_events.sql", keys)
        .fetch_all(connection)
        .await
        .map_err(Fault::of)?;
    let mut known = Vec::with_capacity(rows.len());
    for row in rows {
        let run = at(&runs, row.at)?;
        let row = EventRow {
            run_seq: row.run_seq,
            event_type: row.event_type,
            step_id: row.step_id,
            logical_attempt: row.logical_attempt,
            engine_attempt: row.engine_attempt,
            idempotency_key: row.idempotency_key,
            emitted_at: row.emitted_at,
            persisted_at: row.persisted_at,
            payload: row.payload,
        };
        known.push((run, row.decode()?));
    }
    Ok(known)
}

fn at<'a>(runs: &[&'a RunKey], number: i64) -> Result<&'a RunKey, Fault> {
    let run = usize::try_from(number).ok().and_then(|at| runs.get(at));
    run.copied()
        .ok_or_else(|| Fault::corrupt("run", format!("number {number} of {}", runs.len())))
}
