use std::collections::BTreeMap;

use dvt_contracts::{
    ClaimRequest, ClaimedRun, Lease, LeaseToken, MAX_CLAIM, RunEvent, RunKey, Timestamp,
    UNFINISHED_CLAIMS_ALONE,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::database::Database;
use crate::event_columns::{StoredEvent, bigint, count, count32, text};
use crate::fault::Fault;
use crate::floor::Floor;
use crate::moment::Moment;
use crate::statement::Statement;

/// A claim that has this many events takes no further run.
const ENOUGH_EVENTS: i64 = 10_000;

/// `queries/claim.sql`
struct Claim<'a> {
    request: &'a ClaimRequest,
    floor: Option<Timestamp>,
    clock_shift: i64,
}

/// A claimed run, or one of its events.
struct ClaimRow {
    run_no: i64,
    tenant_id: Option<String>,
    run_id: Option<String>,
    claim_no: Option<i64>,
    lease_token: Option<Uuid>,
    lease_expires_at: Option<Moment>,
    attempts: Option<i64>,
    unfinished_claims: Option<i64>,
    last_seq: Option<i64>,
    longest_due_at: Option<Moment>,
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

impl Statement for Claim<'_> {
    const WRITES: bool = true;
    type Reply = Vec<ClaimRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        let request = self.request;
        sqlx::query_file_as!(
            ClaimRow,
            "queries/claim.sql",
            self.floor.map(Moment) as _,
            i64::from(request.max_runs.min(MAX_CLAIM)),
            i64::from(request.max_events_per_run.min(MAX_CLAIM)),
            bigint(request.max_bytes),
            i64::try_from(request.lease.as_micros()).unwrap_or(i64::MAX),
            self.clock_shift,
            i64::from(UNFINISHED_CLAIMS_ALONE),
            ENOUGH_EVENTS,
        )
        .fetch_all(connection)
        .await
    }
}

pub(super) async fn claim(
    database: &Database,
    floor: &Floor,
    request: &ClaimRequest,
) -> Result<Vec<ClaimedRun>, Fault> {
    if request.max_runs == 0 || request.max_events_per_run == 0 {
        return Ok(Vec::new());
    }
    let call = database.call();
    let mut statement = Claim {
        request,
        floor: floor.next(),
        clock_shift: database.clock_shift(),
    };
    let mut rows = database.ask(&call, &statement).await?;
    if rows.is_empty() && statement.floor.take().is_some() {
        // Nothing above the floor is no proof that nothing is due.
        rows = database.ask(&call, &statement).await?;
    }
    let oldest = rows.iter().find_map(|row| row.longest_due_at);
    floor.met(statement.floor, oldest.map(|moment| moment.0));
    decode(rows)
}

fn decode(rows: Vec<ClaimRow>) -> Result<Vec<ClaimedRun>, Fault> {
    let mut runs: BTreeMap<i64, ClaimedRun> = BTreeMap::new();
    let mut events: Vec<(i64, RunEvent)> = Vec::with_capacity(rows.len());
    for row in rows {
        let run_no = row.run_no;
        if row.run_seq.is_none() {
            runs.insert(run_no, run(row)?);
        } else {
            events.push((run_no, event(row)?));
        }
    }
    for (run_no, event) in events {
        match runs.get_mut(&run_no) {
            Some(run) => run.events.push(event),
            None => {
                return Err(Fault::Corrupt(
                    "an event of a run that was not claimed".to_owned(),
                ));
            }
        }
    }
    // The statement numbers runs in the order of their due times and promises no order of its rows.
    let mut claimed: Vec<ClaimedRun> = runs.into_values().collect();
    for run in &mut claimed {
        run.events.sort_by_key(|event| event.run_seq);
    }
    Ok(claimed)
}

fn run(row: ClaimRow) -> Result<ClaimedRun, Fault> {
    let (
        Some(tenant_id),
        Some(run_id),
        Some(claim_no),
        Some(token),
        Some(expires_at),
        Some(attempts),
        Some(unfinished_claims),
        Some(last_seq),
    ) = (
        row.tenant_id,
        row.run_id,
        row.claim_no,
        row.lease_token,
        row.lease_expires_at,
        row.attempts,
        row.unfinished_claims,
        row.last_seq,
    )
    else {
        return Err(Fault::Corrupt("a claimed run without a column".to_owned()));
    };
    Ok(ClaimedRun {
        lease: Lease {
            run: RunKey::new(text("tenant id", &tenant_id)?, text("run id", &run_id)?),
            claim_no: count(claim_no)?,
            token: LeaseToken::from(token),
            expires_at: expires_at.0,
            last_seq: count(last_seq)?,
        },
        attempts: count32(attempts)?,
        unfinished_claims: count32(unfinished_claims)?,
        events: Vec::new(),
    })
}

fn event(row: ClaimRow) -> Result<RunEvent, Fault> {
    let missing = || Fault::Corrupt("a claimed event without a column".to_owned());
    let key = row.idempotency_key.as_deref().ok_or_else(missing)?;
    let key = text("idempotency key", key)?;
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
    columns.decode(key)?.ok_or_else(missing)
}
