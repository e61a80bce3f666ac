//! What a request does to a run: judged first, then written, so that a refusal leaves nothing behind.

use std::collections::HashMap;

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Appended, ConflictPolicy, Disposition, Event,
    Expected, IdempotencyKey, RunEvent, RunKey, Timestamp, status_after,
};
use serde_json::json;
use sqlx::SqliteConnection;

use crate::event_row::EventRow;
use crate::fault::Fault;
use crate::head::Head;

/// A run's events by their keys.
pub(crate) type Known = HashMap<IdempotencyKey, RunEvent>;

/// Judges and executes one request, within the caller's transaction.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    request: &AppendRequest,
    now: Timestamp,
) -> Result<Result<AppendOutcome, AppendError>, Fault> {
    let run = &request.run;
    let Some(mut head) = Head::load(connection, run).await? else {
        return Ok(Err(AppendError::RunNotFound { run: run.clone() }));
    };
    if let Some(pruned_at) = head.pruned_at {
        let run = run.clone();
        return Ok(Err(AppendError::RunPruned { run, pruned_at }));
    }
    let known = known(connection, run, &request.events).await?;
    if let Err(refusal) = judge(request, &known, head.last_seq) {
        return Ok(Err(refusal));
    }
    let events = write(connection, &mut head, &request.events, known, now).await?;
    Ok(Ok(AppendOutcome {
        head: head.last_seq,
        events,
    }))
}

/// The events of the run that have one of these events' keys.
pub(crate) async fn known(
    connection: &mut SqliteConnection,
    run: &RunKey,
    events: &[Event],
) -> Result<Known, Fault> {
    let keys: Vec<&str> = events
        .iter()
        .map(|event| event.idempotency_key().as_str())
        .collect();
    let keys = json!(keys).to_string();
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let rows = sqlx::query_file_as!(
        EventRow,
        "queries/known_events.sql",
        tenant_id,
        run_id,
        keys
    )
    .fetch_all(connection)
    .await
    .map_err(Fault::of)?;
    rows.into_iter()
        .map(|row| {
            let stored = row.decode()?;
            Ok((stored.event.idempotency_key().clone(), stored))
        })
        .collect()
}

fn judge(request: &AppendRequest, known: &Known, head: u64) -> Result<(), AppendError> {
    let mut firsts: HashMap<&IdempotencyKey, &Event> = HashMap::new();
    for event in &request.events {
        let key = event.idempotency_key();
        let stored = known.get(key);
        let first = match stored {
            Some(stored) => &stored.event,
            None => *firsts.entry(key).or_insert(event),
        };
        if request.on_conflict == ConflictPolicy::Reject && !event.same_content(first) {
            return Err(AppendError::IdempotencyConflict {
                run: request.run.clone(),
                idempotency_key: key.clone(),
                stored: stored.cloned().map(Box::new),
            });
        }
    }
    let fresh = firsts.len();
    match request.expected {
        Expected::At(expected) if fresh > 0 && expected != head => {
            Err(AppendError::VersionConflict {
                run: request.run.clone(),
                expected,
                actual: head,
            })
        }
        _ if fresh > 0 && head > i64::MAX as u64 - fresh as u64 => {
            Err(AppendError::SequenceOverflow {
                run: request.run.clone(),
                head,
                events: fresh,
            })
        }
        _ => Ok(()),
    }
}

/// Writes the events whose keys are not known, and tells of each event what the log holds.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    head: &mut Head,
    events: &[Event],
    mut known: Known,
    now: Timestamp,
) -> Result<Vec<Appended>, Fault> {
    // The clock may have stepped back since the last write.
    let persisted_at = head.last_persisted_at.map_or(now, |last| last.max(now));
    let mut batch = Batch::default();
    let mut appended = Vec::with_capacity(events.len());
    for event in events {
        let key = event.idempotency_key();
        if let Some(stored) = known.get(key) {
            appended.push(Appended {
                disposition: Disposition::Duplicate {
                    same_content: event.same_content(&stored.event),
                },
                stored: stored.clone(),
            });
            continue;
        }
        head.last_seq += 1;
        head.status = status_after(head.status, event.event_type());
        batch.push(head.last_seq, event);
        let stored = RunEvent {
            run_seq: head.last_seq,
            persisted_at,
            event: event.clone(),
        };
        known.insert(key.clone(), stored.clone());
        appended.push(Appended {
            stored,
            disposition: Disposition::Appended,
        });
    }
    if !batch.rows.is_empty() {
        batch.insert(connection, &head.run, persisted_at).await?;
        head.last_persisted_at = Some(persisted_at);
        head.enqueue(now);
        head.save(connection).await?;
    }
    Ok(appended)
}

/// The events of one INSERT. Payloads travel side by side, not as JSON within JSON.
#[derive(Default)]
struct Batch {
    rows: Vec<serde_json::Value>,
    payloads: Vec<u8>,
}

impl Batch {
    fn push(&mut self, run_seq: u64, event: &Event) {
        let payload = event.payload().as_str();
        // SQL counts from 1.
        let offset = self.payloads.len() + 1;
        self.payloads.extend_from_slice(payload.as_bytes());
        self.rows.push(json!([
            run_seq,
            event.event_type().as_str(),
            event.step_id().map(AsRef::<str>::as_ref),
            event.logical_attempt().get(),
            event.engine_attempt().get(),
            event.idempotency_key().as_str(),
            event.emitted_at().as_micros(),
            payload.len(),
            offset,
        ]));
    }

    async fn insert(
        self,
        connection: &mut SqliteConnection,
        run: &RunKey,
        persisted_at: Timestamp,
    ) -> Result<(), Fault> {
        let expected = self.rows.len() as u64;
        let rows = serde_json::Value::Array(self.rows).to_string();
        let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
        let payloads = self.payloads;
        let persisted_at = persisted_at.as_micros();
        let inserted = sqlx::query_file!(
            "queries/insert_events.sql",
            tenant_id,
            run_id,
            rows,
            payloads,
            persisted_at,
        )
        .execute(connection)
        .await
        .map_err(Fault::of)?
        .rows_affected();
        if inserted == expected {
            return Ok(());
        }
        Err(Fault::corrupt(
            "insert",
            format!("{inserted} of {expected} events"),
        ))
    }
}
