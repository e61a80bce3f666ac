use std::time::Duration;

use dvt_contracts::{
    FailOutcome, Jitter, Lease, LeaseError, OnExhausted, OperatorNote, RetryPolicy, SafeText,
};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{bigint, bigint_or_none, count};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/mark_failed.sql`
struct MarkFailed<'a> {
    lease: &'a Lease,
    seq: u64,
    error: &'a SafeText,
    policy: &'a RetryPolicy,
    ceilings: Vec<i64>,
    note: OperatorNote,
    clock_shift: i64,
}

struct FailedRow {
    verdict: String,
    delivered_seq: i64,
    last_seq: i64,
    dead_letter_no: i64,
    until: Moment,
}

impl Statement for MarkFailed<'_> {
    const WRITES: bool = true;
    type Reply = Option<FailedRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            FailedRow,
            "queries/mark_failed.sql",
            self.lease.run.tenant_id.as_str(),
            self.lease.run.run_id.as_str(),
            self.lease.token.as_uuid(),
            bigint(self.lease.last_seq),
            bigint_or_none(self.seq),
            self.error.as_str(),
            i64::from(self.policy.max_attempts()),
            &self.ceilings,
            self.policy.jitter() == Jitter::Full,
            self.policy.on_exhausted() == OnExhausted::Skip,
            self.note.by.as_str(),
            self.note.reason.as_str(),
            self.clock_shift,
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn mark_failed(
    database: &Database,
    lease: &Lease,
    seq: u64,
    error: &SafeText,
    policy: &RetryPolicy,
) -> Result<Result<FailOutcome, LeaseError>, Fault> {
    let micros = |delay: Duration| i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
    let statement = MarkFailed {
        lease,
        seq,
        error,
        policy,
        ceilings: policy.ceilings().into_iter().map(micros).collect(),
        note: OperatorNote::exhausted(),
        clock_shift: database.clock_shift(),
    };
    let run = &lease.run;
    let Some(row) = database.ask(&database.call(), &statement).await? else {
        return Ok(Err(LeaseError::RunNotFound { run: run.clone() }));
    };
    let dead_letter_no = count(row.dead_letter_no)?;
    Ok(match row.verdict.as_str() {
        "backing_off" => Ok(FailOutcome::BackingOff { until: row.until.0 }),
        "parked" => Ok(FailOutcome::Parked { dead_letter_no }),
        "skipped" => Ok(FailOutcome::Skipped { dead_letter_no }),
        "stale" => Err(LeaseError::StaleLease {
            run: run.clone(),
            delivered_seq: count(row.delivered_seq)?,
        }),
        "out_of_range" => Err(LeaseError::SeqOutOfRange {
            run: run.clone(),
            seq,
            delivered_seq: count(row.delivered_seq)?,
            last_seq: count(row.last_seq)?,
        }),
        other => return Err(Fault::Corrupt(format!("verdict {other:?}"))),
    })
}
