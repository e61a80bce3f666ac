use std::time::Instant;

use dvt_contracts::{
    ClaimRequest, ClaimedRun, EventType, IdempotencyKey, Lease, LeaseToken, MAX_CLAIM, RunKey,
    StepId, Timestamp, UNFINISHED_CLAIMS_ALONE,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::database::Database;
use crate::event_columns::{bigint, count, count32, stored_events, text};
use crate::fault::Fault;
use crate::floor::Floor;
use crate::moment::Moment;
use crate::parsed::{Parsed, ParsedPayload};
use crate::statement::Statement;

/// A claim that has this many events takes no further run.
const ENOUGH_EVENTS: i64 = 10_000;

/// `queries/claim.sql`
struct Claim<'a> {
    request: &'a ClaimRequest,
    floor: Option<Timestamp>,
    clock_shift: i64,
}

/// A claimed run with its events.
struct ClaimRow {
    run_no: i64,
    tenant_id: String,
    run_id: String,
    claim_no: i64,
    lease_token: Uuid,
    lease_expires_at: Moment,
    attempts: i64,
    unfinished_claims: i64,
    last_seq: i64,
    longest_due_at: Moment,
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
    let mut begun = Instant::now();
    let mut rows = database.ask(&call, &statement).await?;
    if rows.is_empty() && statement.floor.take().is_some() {
        // Nothing above the floor is no proof that nothing is due.
        begun = Instant::now();
        rows = database.ask(&call, &statement).await?;
    }
    let oldest = rows.first().map(|row| row.longest_due_at.0);
    floor.met(statement.floor, oldest, begun.elapsed());
    // The statement numbers runs in the order of their due times and promises no order of its rows.
    rows.sort_unstable_by_key(|row| row.run_no);
    rows.into_iter().map(decode).collect()
}

fn decode(row: ClaimRow) -> Result<ClaimedRun, Fault> {
    Ok(ClaimedRun {
        lease: Lease {
            run: RunKey::new(
                text("tenant id", &row.tenant_id)?,
                text("run id", &row.run_id)?,
            ),
            claim_no: count(row.claim_no)?,
            token: LeaseToken::from(row.lease_token),
            expires_at: row.lease_expires_at.0,
            last_seq: count(row.last_seq)?,
        },
        attempts: count32(row.attempts)?,
        unfinished_claims: count32(row.unfinished_claims)?,
        events: stored_events!(row).decode()?,
    })
}
