use dvt_contracts::{
    DeadLetter, DeadLetterCause, DeadLetterQuery, MAX_PAGE, OperatorNote, OutboxError, Resolution,
    ResolutionKind, RunKey, SafeText,
};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{bigint, bigint_or_none, count, count32, text};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

fn resolution_name(kind: ResolutionKind) -> &'static str {
    match kind {
        ResolutionKind::Retried => "Retried",
        ResolutionKind::Skipped => "Skipped",
    }
}

/// The columns of a dead letter that never change.
struct Letter {
    dead_letter_no: i64,
    run_seq: i64,
    attempts: i64,
    cause: String,
    error: String,
    dead_at: Moment,
}

/// The columns that its resolution fills.
struct Ending {
    resolution: Option<String>,
    resolved_by: Option<String>,
    resolved_reason: Option<String>,
    resolved_at: Option<Moment>,
}

impl Ending {
    fn decode(self) -> Result<Option<Resolution>, Fault> {
        let (Some(kind), Some(by), Some(reason), Some(at)) = (
            self.resolution,
            self.resolved_by,
            self.resolved_reason,
            self.resolved_at,
        ) else {
            return Ok(None);
        };
        let kind = match kind.as_str() {
            "Retried" => ResolutionKind::Retried,
            "Skipped" => ResolutionKind::Skipped,
            other => return Err(Fault::Corrupt(format!("resolution {other:?}"))),
        };
        Ok(Some(Resolution {
            kind,
            note: OperatorNote::new(by, reason),
            at: at.0,
        }))
    }
}

impl Letter {
    fn decode(self, run: RunKey, resolution: Option<Resolution>) -> Result<DeadLetter, Fault> {
        Ok(DeadLetter {
            run,
            dead_letter_no: count(self.dead_letter_no)?,
            run_seq: count(self.run_seq)?,
            attempts: count32(self.attempts)?,
            cause: match self.cause.as_str() {
                "AttemptsExhausted" => DeadLetterCause::AttemptsExhausted,
                "ParkedByOperator" => DeadLetterCause::ParkedByOperator,
                other => return Err(Fault::Corrupt(format!("cause {other:?}"))),
            },
            error: SafeText::new(self.error),
            dead_at: self.dead_at.0,
            resolution,
        })
    }
}

/// `queries/list_dead_letters.sql`
struct ListDeadLetters<'a>(&'a DeadLetterQuery);

struct LetterRow {
    tenant_id: String,
    run_id: String,
    dead_letter_no: i64,
    run_seq: i64,
    attempts: i64,
    cause: String,
    error: String,
    dead_at: Moment,
    resolution: Option<String>,
    resolved_by: Option<String>,
    resolved_reason: Option<String>,
    resolved_at: Option<Moment>,
}

impl Statement for ListDeadLetters<'_> {
    const WRITES: bool = false;
    type Reply = Vec<LetterRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        let query = self.0;
        let after = query.after.as_ref();
        sqlx::query_file_as!(
            LetterRow,
            "queries/list_dead_letters.sql",
            after.map_or("", |(run, _)| run.tenant_id.as_str()),
            after.map_or("", |(run, _)| run.run_id.as_str()),
            after.map_or(0, |(_, number)| bigint(*number)),
            query.tenant_id.as_ref().map(AsRef::as_ref),
            query.open_only,
            i64::from(query.limit.min(MAX_PAGE)),
        )
        .fetch_all(connection)
        .await
    }
}

pub(super) async fn list_dead_letters(
    database: &Database,
    query: &DeadLetterQuery,
) -> Result<Vec<DeadLetter>, Fault> {
    let rows = database
        .ask(&database.call(), &ListDeadLetters(query))
        .await?;
    let decode = |row: LetterRow| {
        let run = RunKey::new(
            text("tenant id", &row.tenant_id)?,
            text("run id", &row.run_id)?,
        );
        let ending = Ending {
            resolution: row.resolution,
            resolved_by: row.resolved_by,
            resolved_reason: row.resolved_reason,
            resolved_at: row.resolved_at,
        };
        let letter = Letter {
            dead_letter_no: row.dead_letter_no,
            run_seq: row.run_seq,
            attempts: row.attempts,
            cause: row.cause,
            error: row.error,
            dead_at: row.dead_at,
        };
        letter.decode(run, ending.decode()?)
    };
    rows.into_iter().map(decode).collect()
}

/// `queries/park_run.sql`
struct ParkRun<'a> {
    run: &'a RunKey,
    error: SafeText,
    clock_shift: i64,
}

struct ParkedRow {
    verdict: String,
    last_seq: i64,
    dead_letter_no: Option<i64>,
    run_seq: Option<i64>,
    attempts: Option<i64>,
    cause: Option<String>,
    error: Option<String>,
    dead_at: Option<Moment>,
}

impl Statement for ParkRun<'_> {
    const WRITES: bool = true;
    type Reply = Option<ParkedRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            ParkedRow,
            "queries/park_run.sql",
            self.run.tenant_id.as_str(),
            self.run.run_id.as_str(),
            self.error.as_str(),
            self.clock_shift,
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn park_run(
    database: &Database,
    run: &RunKey,
    note: &OperatorNote,
) -> Result<DeadLetter, OutboxError> {
    let failed = |fault: Fault| fault.outbox("park_run");
    let call = database.call();
    let statement = ParkRun {
        run,
        error: SafeText::new(note.to_string()),
        clock_shift: database.clock_shift(),
    };
    let mut attempt = 0;
    loop {
        let row = database.ask(&call, &statement).await.map_err(failed)?;
        let Some(row) = row else {
            return Err(OutboxError::RunNotFound { run: run.clone() });
        };
        if row.verdict == "nothing_pending" {
            return Err(OutboxError::NothingPending {
                run: run.clone(),
                head: count(row.last_seq).map_err(failed)?,
            });
        }
        if let (
            Some(dead_letter_no),
            Some(run_seq),
            Some(attempts),
            Some(cause),
            Some(error),
            Some(dead_at),
        ) = (
            row.dead_letter_no,
            row.run_seq,
            row.attempts,
            row.cause,
            row.error,
            row.dead_at,
        ) {
            let letter = Letter {
                dead_letter_no,
                run_seq,
                attempts,
                cause,
                error,
                dead_at,
            };
            return letter.decode(run.clone(), None).map_err(failed);
        }
        // Parked by somebody else while the statement waited: its dead letter shows in the next one.
        attempt += 1;
        call.back_off(attempt).await.map_err(failed)?;
    }
}

/// `queries/resolve_dead_letter.sql`
struct Resolve<'a> {
    run: &'a RunKey,
    dead_letter_no: u64,
    kind: ResolutionKind,
    note: &'a OperatorNote,
    clock_shift: i64,
}

struct ResolvedRow {
    run_seq: Option<i64>,
    attempts: Option<i64>,
    cause: Option<String>,
    error: Option<String>,
    dead_at: Option<Moment>,
    now: Option<Moment>,
    resolution: Option<String>,
    resolved_by: Option<String>,
    resolved_reason: Option<String>,
    resolved_at: Option<Moment>,
}

impl Statement for Resolve<'_> {
    const WRITES: bool = true;
    type Reply = Option<ResolvedRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            ResolvedRow,
            "queries/resolve_dead_letter.sql",
            self.run.tenant_id.as_str(),
            self.run.run_id.as_str(),
            bigint_or_none(self.dead_letter_no),
            resolution_name(self.kind),
            self.note.by.as_str(),
            self.note.reason.as_str(),
            self.clock_shift,
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn resolve(
    database: &Database,
    operation: &'static str,
    run: &RunKey,
    dead_letter_no: u64,
    kind: ResolutionKind,
    note: &OperatorNote,
) -> Result<DeadLetter, OutboxError> {
    let failed = |fault: Fault| fault.outbox(operation);
    let statement = Resolve {
        run,
        dead_letter_no,
        kind,
        note,
        clock_shift: database.clock_shift(),
    };
    let row = database.ask(&database.call(), &statement).await;
    let Some(row) = row.map_err(failed)? else {
        return Err(OutboxError::RunNotFound { run: run.clone() });
    };
    let (Some(run_seq), Some(attempts), Some(cause), Some(error), Some(dead_at), Some(now)) = (
        row.run_seq,
        row.attempts,
        row.cause,
        row.error,
        row.dead_at,
        row.now,
    ) else {
        return Err(OutboxError::DeadLetterNotFound {
            run: run.clone(),
            dead_letter_no,
        });
    };
    let ending = Ending {
        resolution: row.resolution,
        resolved_by: row.resolved_by,
        resolved_reason: row.resolved_reason,
        resolved_at: row.resolved_at,
    };
    let before = ending.decode().map_err(failed)?;
    if let Some(resolution) = before.as_ref().filter(|before| before.kind != kind) {
        return Err(OutboxError::DeadLetterResolved {
            run: run.clone(),
            dead_letter_no,
            resolved: resolution.kind,
        });
    }
    let resolution = before.unwrap_or_else(|| Resolution {
        kind,
        note: note.clone(),
        at: now.0,
    });
    let letter = Letter {
        dead_letter_no: bigint(dead_letter_no),
        run_seq,
        attempts,
        cause,
        error,
        dead_at,
    };
    letter.decode(run.clone(), Some(resolution)).map_err(failed)
}
