use dvt_contracts::{
    DeadLetter, DeadLetterCause, DeadLetterQuery, MAX_PAGE, OperatorNote, OutboxError, Resolution,
    ResolutionKind, RunKey, SafeText, Timestamp,
};
use sqlx::SqliteConnection;

use crate::fault::Fault;
use crate::head::Head;
use crate::value::{count, count32, integer, moment, run_key};

struct LetterRow {
    tenant_id: String,
    run_id: String,
    dead_letter_no: i64,
    run_seq: i64,
    attempts: i64,
    cause: String,
    error: String,
    dead_at: i64,
    resolution: Option<String>,
    resolved_by: Option<String>,
    resolved_reason: Option<String>,
    resolved_at: Option<i64>,
}

impl LetterRow {
    fn decode(self) -> Result<DeadLetter, Fault> {
        let resolution = match (
            self.resolution,
            self.resolved_by,
            self.resolved_reason,
            self.resolved_at,
        ) {
            (Some(kind), Some(by), Some(reason), Some(at)) => Some(Resolution {
                kind: match kind.as_str() {
                    "Retried" => ResolutionKind::Retried,
                    "Skipped" => ResolutionKind::Skipped,
                    other => return Err(Fault::corrupt("resolution", other)),
                },
                note: OperatorNote::new(by, reason),
                at: moment(at)?,
            }),
            _ => None,
        };
        Ok(DeadLetter {
            run: run_key(&self.tenant_id, &self.run_id)?,
            dead_letter_no: count(self.dead_letter_no)?,
            run_seq: count(self.run_seq)?,
            attempts: count32(self.attempts)?,
            cause: match self.cause.as_str() {
                "AttemptsExhausted" => DeadLetterCause::AttemptsExhausted,
                "ParkedByOperator" => DeadLetterCause::ParkedByOperator,
                other => return Err(Fault::corrupt("cause", other)),
            },
            error: SafeText::new(self.error),
            dead_at: moment(self.dead_at)?,
            resolution,
        })
    }
}

pub(super) async fn list_dead_letters(
    connection: &mut SqliteConnection,
    query: &DeadLetterQuery,
) -> Result<Vec<DeadLetter>, Fault> {
    // No tenant id is empty.
    let (after_tenant, after_run, after_no) = match &query.after {
        Some((run, number)) => (
            run.tenant_id.as_str(),
            run.run_id.as_str(),
            integer(*number),
        ),
        None => ("", "", 0),
    };
    let tenant_id: Option<&str> = query.tenant_id.as_ref().map(AsRef::as_ref);
    let limit = i64::from(query.limit.min(MAX_PAGE));
    let rows = sqlx::query_file_as!(
        LetterRow,
        "queries/list_dead_letters.sql",
        after_tenant,
        after_run,
        after_no,
        tenant_id,
        query.open_only,
        limit,
    )
    .fetch_all(connection)
    .await
    .map_err(Fault::of)?;
    rows.into_iter().map(LetterRow::decode).collect()
}

pub(super) async fn park(
    connection: &mut SqliteConnection,
    run: &RunKey,
    note: &OperatorNote,
    now: Timestamp,
) -> Result<Result<DeadLetter, OutboxError>, Fault> {
    let Some(mut head) = Head::load(connection, run).await? else {
        return Ok(Err(OutboxError::RunNotFound { run: run.clone() }));
    };
    if head.parked_at.is_none() {
        if !head.is_pending() {
            return Ok(Err(OutboxError::NothingPending {
                run: run.clone(),
                head: head.last_seq,
            }));
        }
        head.end_lease();
        let error = SafeText::new(note.to_string());
        let cause = DeadLetterCause::ParkedByOperator;
        head.bury(connection, cause, &error, now).await?;
        head.save(connection).await?;
    }
    match load(connection, run, head.dead_letters).await? {
        Some(letter) => Ok(Ok(letter)),
        None => Err(Fault::corrupt("run", "it is parked without a dead letter")),
    }
}

pub(super) async fn resolve(
    connection: &mut SqliteConnection,
    run: &RunKey,
    dead_letter_no: u64,
    kind: ResolutionKind,
    note: &OperatorNote,
    now: Timestamp,
) -> Result<Result<DeadLetter, OutboxError>, Fault> {
    let Some(mut head) = Head::load(connection, run).await? else {
        return Ok(Err(OutboxError::RunNotFound { run: run.clone() }));
    };
    let Some(mut letter) = load(connection, run, dead_letter_no).await? else {
        return Ok(Err(OutboxError::DeadLetterNotFound {
            run: run.clone(),
            dead_letter_no,
        }));
    };
    match &letter.resolution {
        Some(resolution) if resolution.kind == kind => return Ok(Ok(letter)),
        Some(resolution) => {
            return Ok(Err(OutboxError::DeadLetterResolved {
                run: run.clone(),
                dead_letter_no,
                resolved: resolution.kind,
            }));
        }
        None => {}
    }
    close(connection, run, dead_letter_no, kind, note, now).await?;
    letter.resolution = Some(Resolution {
        kind,
        note: note.clone(),
        at: now,
    });
    if kind == ResolutionKind::Skipped {
        head.deliver_through(letter.run_seq);
    }
    head.attempts = 0;
    head.last_error = None;
    head.parked_at = None;
    head.reschedule(now);
    head.save(connection).await?;
    Ok(Ok(letter))
}

/// Writes how a dead letter ended.
pub(super) async fn close(
    connection: &mut SqliteConnection,
    run: &RunKey,
    dead_letter_no: u64,
    kind: ResolutionKind,
    note: &OperatorNote,
    now: Timestamp,
) -> Result<(), Fault> {
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let number = integer(dead_letter_no);
    let kind = match kind {
        ResolutionKind::Retried => "Retried",
        ResolutionKind::Skipped => "Skipped",
    };
    let (by, reason) = (note.by.as_str(), note.reason.as_str());
    let at = now.as_micros();
    sqlx::query_file!(
        "queries/resolve_dead_letter.sql",
        tenant_id,
        run_id,
        number,
        kind,
        by,
        reason,
        at,
    )
    .execute(connection)
    .await
    .map(drop)
    .map_err(Fault::of)
}

async fn load(
    connection: &mut SqliteConnection,
    run: &RunKey,
    dead_letter_no: u64,
) -> Result<Option<DeadLetter>, Fault> {
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let number = integer(dead_letter_no);
    let row = sqlx::query_file_as!(
        LetterRow,
        "queries/load_dead_letter.sql",
        tenant_id,
        run_id,
        number
    )
    .fetch_optional(connection)
    .await
    .map_err(Fault::of)?;
    row.map(LetterRow::decode).transpose()
}
