use sqlx::PgConnection;

use super::statement::{Answer, Append, place};
use crate::event_columns::SameContent;
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/recall.sql`: whether an append was there before, as a whole.
#[derive(Debug)]
pub(super) struct Recall<'s>(pub(super) &'s Append<'s>);

#[derive(Debug)]
pub(super) struct RecalledRow {
    request_no: i64,
    last_seq: i64,
    first_seq: i64,
    engine_attempts: Vec<i64>,
    emitted_at: Vec<Moment>,
    persisted_at: Vec<Moment>,
}

impl Statement for Recall<'_> {
    const WRITES: bool = false;
    type Reply = Vec<RecalledRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        let Self(append) = self;
        sqlx::query_file_as!(
            RecalledRow,
            "queries/recall.sql",
            &append.tenant_ids as _,
            &append.run_ids as _,
            &append.events_before,
            &append.event_counts,
            &append.events.event_types as _,
            &append.events.step_ids as _,
            &append.events.idempotency_keys as _,
            &append.events.logical_attempts,
            &append.events.payloads as _,
        )
        .fetch_all(connection)
        .await
    }
}

/// One answer for each of so many groups; none for one that was not there as a whole.
pub(super) fn recalled(
    rows: Vec<RecalledRow>,
    groups: usize,
) -> Result<Vec<Option<Answer>>, Fault> {
    let mut answers: Vec<Option<Answer>> = Vec::new();
    answers.resize_with(groups, || None);
    for row in rows {
        let count = row.engine_attempts.len() as i64;
        let same = SameContent::of_columns(
            (1..=count).collect(),
            (row.first_seq..).take(row.engine_attempts.len()).collect(),
            row.engine_attempts,
            row.emitted_at,
            row.persisted_at,
        );
        answers[place(row.request_no, groups)?] = Some(Answer {
            verdict: "duplicates".to_owned(),
            last_seq: Some(row.last_seq),
            seen_seq: Some(row.last_seq),
            pruned_at: None,
            persisted_at: None,
            same,
            other: Vec::new(),
        });
    }
    Ok(answers)
}
