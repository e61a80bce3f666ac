use dvt_contracts::{
    MAX_PAGE, OutboxStats, PendingQuery, PendingRun, PendingState, SafeText, Timestamp,
};
use sqlx::SqliteConnection;

use super::destination;
use crate::fault::Fault;
use crate::value::{count, count32, moment, moment_if, run_key};

struct PendingRow {
    tenant_id: String,
    run_id: String,
    delivered_seq: i64,
    last_seq: i64,
    pending_since: i64,
    due_at: Option<i64>,
    lease_expires_at: Option<i64>,
    parked_at: Option<i64>,
    dead_letters: i64,
    attempts: i64,
    unfinished_claims: i64,
    claim_no: i64,
    last_error: Option<String>,
}

impl PendingRow {
    fn decode(self, now: Timestamp) -> Result<PendingRun, Fault> {
        Ok(PendingRun {
            run: run_key(&self.tenant_id, &self.run_id)?,
            delivered_seq: count(self.delivered_seq)?,
            last_seq: count(self.last_seq)?,
            pending_since: moment(self.pending_since)?,
            state: self.state(now)?,
            attempts: count32(self.attempts)?,
            unfinished_claims: count32(self.unfinished_claims)?,
            claim_no: count(self.claim_no)?,
            last_error: self.last_error.map(SafeText::new),
        })
    }

    fn state(&self, now: Timestamp) -> Result<PendingState, Fault> {
        if let Some(since) = moment_if(self.parked_at)? {
            return Ok(PendingState::Parked {
                since,
                dead_letter_no: count(self.dead_letters)?,
            });
        }
        let lease = moment_if(self.lease_expires_at)?;
        match (lease, moment_if(self.due_at)?) {
            (_, None) => {
                let run = format!("run {}/{}", self.tenant_id, self.run_id);
                Err(Fault::corrupt(
                    &run,
                    "it has undelivered events and is never due",
                ))
            }
            (Some(until), _) if until > now => Ok(PendingState::Leased { until }),
            (_, Some(until)) if until > now => Ok(PendingState::BackingOff { until }),
            _ => Ok(PendingState::Due),
        }
    }
}

pub(super) async fn list_pending(
    connection: &mut SqliteConnection,
    query: &PendingQuery,
    now: Timestamp,
) -> Result<Vec<PendingRun>, Fault> {
    // No tenant id is empty.
    let (after_tenant, after_run) = match &query.after {
        Some(run) => (run.tenant_id.as_str(), run.run_id.as_str()),
        None => ("", ""),
    };
    let tenant_id: Option<&str> = query.tenant_id.as_ref().map(AsRef::as_ref);
    let run_tenant = query.run.as_ref().map(|run| run.tenant_id.as_str());
    let run_id = query.run.as_ref().map(|run| run.run_id.as_str());
    let limit = i64::from(query.limit.min(MAX_PAGE));
    let rows = sqlx::query_file_as!(
        PendingRow,
        "queries/list_pending.sql",
        after_tenant,
        after_run,
        tenant_id,
        run_tenant,
        run_id,
        limit,
    )
    .fetch_all(connection)
    .await
    .map_err(Fault::of)?;
    rows.into_iter().map(|row| row.decode(now)).collect()
}

pub(super) async fn stats(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<OutboxStats, Fault> {
    let moment_now = now.as_micros();
    let row = sqlx::query_file!("queries/stats.sql", moment_now)
        .fetch_one(&mut *connection)
        .await
        .map_err(Fault::of)?;
    let bound = destination::bound(connection).await?;
    let (destination, last_retarget) = match bound {
        Some(bound) => (Some(bound.destination), bound.last_retarget),
        None => (None, None),
    };
    let leased_runs = count(row.leased_runs)?;
    let backing_off_runs = count(row.backing_off_runs)?;
    let parked_runs = count(row.parked_runs)?;
    let waiting = leased_runs + backing_off_runs + parked_runs;
    Ok(OutboxStats {
        due_runs: count(row.pending_runs)?.saturating_sub(waiting),
        leased_runs,
        backing_off_runs,
        parked_runs,
        // The event after the cursor of a parked run is dead, those behind it are pending.
        pending_events: count(row.undelivered_events)?.saturating_sub(parked_runs),
        dead_letters: count(row.dead_letters)?,
        skipped_events: count(row.skipped_events)?,
        oldest_pending_age: moment_if(row.oldest)?.map(|oldest| now.saturating_since(oldest)),
        destination,
        last_retarget,
    })
}
