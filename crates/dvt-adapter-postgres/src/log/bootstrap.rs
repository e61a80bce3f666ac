use std::collections::HashMap;

use dvt_contracts::{
    Appended, BootstrapOutcome, BootstrapRequest, Disposition, Event, IdempotencyKey, RunEvent,
    RunStatus, StoreError, Timestamp, status_after,
};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{EventColumns, StoredEvent};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

const OPERATION: &str = "bootstrap_run";

/// `queries/bootstrap.sql`
struct Bootstrap<'a> {
    request: &'a BootstrapRequest,
    status: RunStatus,
    events: EventColumns<'a>,
    clock_shift: i64,
}

struct BootstrapRow {
    made: bool,
    now: Moment,
    pruned_at: Option<Moment>,
    created_at: Option<Moment>,
    project_id: Option<String>,
    environment_id: Option<String>,
    plan_id: Option<String>,
    plan_version: Option<String>,
    event_no: Option<i64>,
    known_seq: Option<i64>,
    known_event_type: Option<String>,
    known_step_id: Option<String>,
    known_logical_attempt: Option<i64>,
    known_engine_attempt: Option<i64>,
    known_emitted_at: Option<Moment>,
    known_persisted_at: Option<Moment>,
    known_payload: Option<String>,
}

impl Statement for Bootstrap<'_> {
    const WRITES: bool = true;
    type Reply = Vec<BootstrapRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        let metadata = &self.request.metadata;
        sqlx::query_file_as!(
            BootstrapRow,
            "queries/bootstrap.sql",
            self.request.run.tenant_id.as_str(),
            self.request.run.run_id.as_str(),
            metadata.project_id.as_str(),
            metadata.environment_id.as_str(),
            metadata.plan_id.as_str(),
            metadata.plan_version.as_str(),
            self.status.as_str(),
            &self.events.event_types as _,
            &self.events.step_ids as _,
            &self.events.logical_attempts,
            &self.events.engine_attempts,
            &self.events.idempotency_keys as _,
            &self.events.emitted_at as _,
            &self.events.payloads as _,
            self.clock_shift,
        )
        .fetch_all(connection)
        .await
    }
}

pub(super) async fn bootstrap_run(
    database: &Database,
    request: &BootstrapRequest,
) -> Result<BootstrapOutcome, StoreError> {
    let failed = |fault: Fault| fault.store(OPERATION);
    let first_uses = FirstUses::of(&request.events);
    let status = first_uses
        .events
        .iter()
        .fold(RunStatus::Pending, |status, event| {
            status_after(status, event.event_type())
        });
    let statement = Bootstrap {
        request,
        status,
        events: first_uses.events.iter().copied().collect(),
        clock_shift: database.clock_shift(),
    };
    let call = database.call();
    let mut attempt = 0;
    loop {
        let rows = database.ask(&call, &statement).await.map_err(failed)?;
        match rows.first() {
            Some(row) if row.made => {
                let stored = first_uses.made_at(row.now.0);
                return first_uses.outcome(&request.events, true, row.now.0, stored);
            }
            Some(row) if row.created_at.is_some() => return found(request, &first_uses, rows),
            // Made by somebody else while the statement waited.
            _ => {
                attempt += 1;
                call.back_off(attempt).await.map_err(failed)?;
            }
        }
    }
}

/// The answer for a run that was there.
fn found(
    request: &BootstrapRequest,
    first_uses: &FirstUses<'_>,
    rows: Vec<BootstrapRow>,
) -> Result<BootstrapOutcome, StoreError> {
    let run = &request.run;
    let exists = || StoreError::RunAlreadyExists { run: run.clone() };
    let mut stored: Vec<Option<RunEvent>> = vec![None; first_uses.events.len()];
    let mut created_at = None;
    for row in rows {
        if let Some(pruned_at) = row.pruned_at {
            return Err(StoreError::RunPruned {
                run: run.clone(),
                pruned_at: pruned_at.0,
            });
        }
        let metadata = &request.metadata;
        let same = row.project_id.as_deref() == Some(metadata.project_id.as_str())
            && row.environment_id.as_deref() == Some(metadata.environment_id.as_str())
            && row.plan_id.as_deref() == Some(metadata.plan_id.as_str())
            && row.plan_version.as_deref() == Some(metadata.plan_version.as_str());
        if !same {
            return Err(exists());
        }
        created_at = row.created_at;
        let place = row
            .event_no
            .and_then(|number| usize::try_from(number - 1).ok());
        let Some(place) = place.filter(|place| *place < stored.len()) else {
            continue;
        };
        let columns = StoredEvent {
            run_seq: row.known_seq,
            event_type: row.known_event_type,
            step_id: row.known_step_id,
            logical_attempt: row.known_logical_attempt,
            engine_attempt: row.known_engine_attempt,
            emitted_at: row.known_emitted_at,
            persisted_at: row.known_persisted_at,
            payload: row.known_payload,
        };
        let first = first_uses.events[place];
        stored[place] = columns
            .decode(first.idempotency_key().clone())
            .map_err(|fault| fault.store(OPERATION))?
            .filter(|stored| first.same_content(&stored.event));
    }
    let stored: Option<Vec<RunEvent>> = stored.into_iter().collect();
    let (Some(stored), Some(created_at)) = (stored, created_at) else {
        return Err(exists());
    };
    first_uses.outcome(&request.events, false, created_at.0, stored)
}

/// The events of distinct keys, and where each key was first used.
struct FirstUses<'a> {
    events: Vec<&'a Event>,
    places: HashMap<&'a IdempotencyKey, usize>,
}

impl<'a> FirstUses<'a> {
    fn of(events: &'a [Event]) -> Self {
        let mut first_uses = Self {
            events: Vec::with_capacity(events.len()),
            places: HashMap::with_capacity(events.len()),
        };
        for event in events {
            let place = first_uses.events.len();
            let first = *first_uses
                .places
                .entry(event.idempotency_key())
                .or_insert(place);
            if first == place {
                first_uses.events.push(event);
            }
        }
        first_uses
    }

    fn made_at(&self, persisted_at: Timestamp) -> Vec<RunEvent> {
        (1..)
            .zip(&self.events)
            .map(|(run_seq, event)| RunEvent {
                run_seq,
                persisted_at,
                event: (*event).clone(),
            })
            .collect()
    }

    fn outcome(
        &self,
        events: &[Event],
        created: bool,
        created_at: Timestamp,
        stored: Vec<RunEvent>,
    ) -> Result<BootstrapOutcome, StoreError> {
        let mut fresh = vec![created; stored.len()];
        let appended = |event: &Event| {
            let place = *self.places.get(event.idempotency_key())?;
            let stored = stored.get(place)?.clone();
            let disposition = if std::mem::take(fresh.get_mut(place)?) {
                Disposition::Appended
            } else {
                Disposition::Duplicate {
                    same_content: event.same_content(&stored.event),
                }
            };
            Some(Appended {
                stored,
                disposition,
            })
        };
        let events: Option<Vec<Appended>> = events.iter().map(appended).collect();
        match events {
            Some(events) => Ok(BootstrapOutcome {
                created,
                created_at,
                events,
            }),
            None => Err(Fault::Corrupt("a first event got no reply".to_owned()).store(OPERATION)),
        }
    }
}
