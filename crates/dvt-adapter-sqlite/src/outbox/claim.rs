use dvt_contracts::{
    ClaimRequest, ClaimedRun, Lease, LeaseToken, MAX_CLAIM, RunKey, Timestamp,
    UNFINISHED_CLAIMS_ALONE,
};
use sqlx::SqliteConnection;

use crate::fault::Fault;
use crate::head::Head;
use crate::log;
use crate::value::{count32, run_key};

/// A run that is due.
pub(super) struct DueRun {
    run: RunKey,
    unfinished_claims: u32,
}

/// Claims the runs that are due longest. One that was claimed again and again and never finished goes alone, so that
/// whatever it does to a relay takes no other run down with it.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    request: &ClaimRequest,
    now: Timestamp,
) -> Result<Vec<ClaimedRun>, Fault> {
    let mut due = due(connection, request.max_runs.min(MAX_CLAIM), now).await?;
    if due
        .first()
        .is_some_and(|first| first.unfinished_claims >= UNFINISHED_CLAIMS_ALONE)
    {
        due.truncate(1);
    }
    let max_events = request.max_events_per_run.min(MAX_CLAIM);
    let expires_at = now.saturating_add(request.lease);
    let mut bytes = request.max_bytes;
    let mut claimed: Vec<ClaimedRun> = Vec::with_capacity(due.len());
    for DueRun { run, .. } in due {
        let Some(mut head) = Head::load(connection, &run).await? else {
            return Err(Fault::corrupt("run", "it is due but has no head"));
        };
        let (after, always) = (head.delivered_seq, claimed.is_empty());
        let events = log::page(connection, &run, after, max_events, bytes, always).await?;
        let Some(last_seq) = events.last().map(|event| event.run_seq) else {
            if always {
                return Err(Fault::corrupt(
                    "run",
                    "it is due but has no event to deliver",
                ));
            }
            break;
        };
        let size = |event: &dvt_contracts::RunEvent| event.event.payload().size() as u64;
        bytes = bytes.saturating_sub(events.iter().map(size).sum());
        let offered = (head.last_seq - head.delivered_seq).min(u64::from(max_events));
        let cut_short = (events.len() as u64) < offered;
        let token = LeaseToken::generate();
        head.claim_no += 1;
        head.unfinished_claims = head.unfinished_claims.saturating_add(1);
        head.lease = Some((token, expires_at));
        head.due_at = Some(expires_at);
        head.save(connection).await?;
        claimed.push(ClaimedRun {
            lease: Lease {
                run,
                claim_no: head.claim_no,
                token,
                expires_at,
                last_seq,
            },
            attempts: head.attempts,
            unfinished_claims: head.unfinished_claims,
            events,
        });
        if cut_short {
            break;
        }
    }
    Ok(claimed)
}

/// The runs that are due longest, and of those that never finish only the very first.
pub(super) async fn due(
    connection: &mut SqliteConnection,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<DueRun>, Fault> {
    let now = now.as_micros();
    let rows = sqlx::query_file!("queries/due_runs.sql", now, limit, UNFINISHED_CLAIMS_ALONE)
        .fetch_all(connection)
        .await
        .map_err(Fault::of)?;
    rows.into_iter()
        .map(|row| {
            Ok(DueRun {
                run: run_key(&row.tenant_id, &row.run_id)?,
                unfinished_claims: count32(row.unfinished_claims)?,
            })
        })
        .collect()
}
