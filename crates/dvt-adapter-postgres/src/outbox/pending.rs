use dvt_contracts::{
    MAX_PAGE, OperatorNote, OutboxStats, PendingQuery, PendingRun, PendingState, Retarget, RunKey,
    SafeText,
};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{count, count32, text};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/list_pending.sql`
struct ListPending<'a> {
    query: &'a PendingQuery,
    clock_shift: i64,
}

struct PendingRow {
    tenant_id: String,
    run_id: String,
    delivered_seq: i64,
    last_seq: i64,
    claim_no: i64,
    attempts: i64,
    unfinished_claims: i64,
    last_error: Option<String>,
    due_at: Option<Moment>,
    lease_expires_at: Option<Moment>,
    parked_at: Option<Moment>,
    dead_letters: i64,
    now: Moment,
    pending_since: Option<Moment>,
}

impl Statement for ListPending<'_> {
    const WRITES: bool = false;
    type Reply = Vec<PendingRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        let query = self.query;
        let after = query.after.as_ref();
        let run = query.run.as_ref();
        sqlx::query_file_as!(
            PendingRow,
            "queries/list_pending.sql",
            after.map_or("", |run| run.tenant_id.as_str()),
            after.map_or("", |run| run.run_id.as_str()),
            query.tenant_id.as_ref().map(AsRef::as_ref),
            run.map(|run| run.tenant_id.as_str()),
            run.map(|run| run.run_id.as_str()),
            i64::from(query.limit.min(MAX_PAGE)),
            self.clock_shift,
        )
        .fetch_all(connection)
        .await
    }
}

impl PendingRow {
    fn decode(self) -> Result<PendingRun, Fault> {
        let run = RunKey::new(
            text("tenant id", &self.tenant_id)?,
            text("run id", &self.run_id)?,
        );
        let Some(pending_since) = self.pending_since else {
            return Err(Fault::Corrupt(format!("run {run} misses its next event")));
        };
        let now = self.now.0;
        let state = match (self.parked_at, self.lease_expires_at, self.due_at) {
            (Some(since), _, _) => PendingState::Parked {
                since: since.0,
                dead_letter_no: count(self.dead_letters)?,
            },
            (None, Some(until), _) if until.0 > now => PendingState::Leased { until: until.0 },
            (None, _, Some(until)) if until.0 > now => PendingState::BackingOff { until: until.0 },
            _ => PendingState::Due,
        };
        Ok(PendingRun {
            run,
            delivered_seq: count(self.delivered_seq)?,
            last_seq: count(self.last_seq)?,
            pending_since: pending_since.0,
            state,
            attempts: count32(self.attempts)?,
            unfinished_claims: count32(self.unfinished_claims)?,
            claim_no: count(self.claim_no)?,
            last_error: self.last_error.map(SafeText::new),
        })
    }
}

pub(super) async fn list_pending(
    database: &Database,
    query: &PendingQuery,
) -> Result<Vec<PendingRun>, Fault> {
    let statement = ListPending {
        query,
        clock_shift: database.clock_shift(),
    };
    let rows = database.ask(&database.call(), &statement).await?;
    rows.into_iter().map(PendingRow::decode).collect()
}

/// `queries/stats.sql`
struct Stats {
    clock_shift: i64,
}

struct StatsRow {
    due_runs: i64,
    leased_runs: i64,
    backing_off_runs: i64,
    parked_runs: i64,
    pending_events: i64,
    dead_letters: i64,
    skipped_events: i64,
    now: Moment,
    oldest_pending_at: Option<Moment>,
    destination: Option<String>,
    retargeted_from: Option<String>,
    retargeted_by: Option<String>,
    retargeted_reason: Option<String>,
    retargeted_at: Option<Moment>,
}

impl Statement for Stats {
    const WRITES: bool = false;
    type Reply = StatsRow;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(StatsRow, "queries/stats.sql", self.clock_shift)
            .fetch_one(connection)
            .await
    }
}

pub(super) async fn stats(database: &Database) -> Result<OutboxStats, Fault> {
    let statement = Stats {
        clock_shift: database.clock_shift(),
    };
    let row = database.ask(&database.call(), &statement).await?;
    let destination = row
        .destination
        .map(|name| text("destination", &name))
        .transpose()?;
    let last_retarget = match (
        &destination,
        row.retargeted_from,
        row.retargeted_by,
        row.retargeted_reason,
        row.retargeted_at,
    ) {
        // Nothing but a retarget changes a destination.
        (Some(to), Some(from), Some(by), Some(reason), Some(at)) => Some(Retarget {
            from: text("destination", &from)?,
            to: Clone::clone(to),
            note: OperatorNote::new(by, reason),
            at: at.0,
        }),
        _ => None,
    };
    Ok(OutboxStats {
        due_runs: count(row.due_runs)?,
        leased_runs: count(row.leased_runs)?,
        backing_off_runs: count(row.backing_off_runs)?,
        parked_runs: count(row.parked_runs)?,
        pending_events: count(row.pending_events)?,
        dead_letters: count(row.dead_letters)?,
        skipped_events: count(row.skipped_events)?,
        oldest_pending_age: row
            .oldest_pending_at
            .map(|oldest| row.now.0.saturating_since(oldest.0)),
        destination,
        last_retarget,
    })
}
