use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::PgConnection;

use super::group::Group;
use crate::event_columns::{EventColumns, SameContent, StoredEvent, bigint};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/append_one.sql`, `queries/append_new.sql` or `queries/append.sql`: groups of different runs, in the order of their
/// keys.
#[derive(Debug, Default)]
pub(super) struct Append<'a> {
    tenant_ids: Vec<&'a str>,
    run_ids: Vec<&'a str>,
    expected: Vec<Option<i64>>,
    status_after: Vec<String>,
    events_before: Vec<i64>,
    event_counts: Vec<i64>,
    request_nos: Vec<i64>,
    events: EventColumns<'a>,
    clock_shift: i64,
    /// Whether keys are looked for. From the first refusal on they are.
    looks: AtomicBool,
}

/// A row of `queries/append_one.sql` or `queries/append_new.sql`.
#[derive(Debug)]
pub(super) struct NewRow {
    request_no: i64,
    head: i64,
    persisted_at: Moment,
}

/// What the server replied.
#[derive(Debug)]
pub(super) enum Rows {
    /// The requests that were written: all keys are new.
    New(Vec<NewRow>),
    /// A verdict on each request.
    Judged(Vec<AppendRow>),
}

#[derive(Debug)]
pub(super) struct AppendRow {
    request_no: i64,
    verdict: String,
    last_seq: Option<i64>,
    seen_seq: Option<i64>,
    pruned_at: Option<Moment>,
    persisted_at: Option<Moment>,
    same_places: Option<Vec<i64>>,
    same_run_seqs: Option<Vec<i64>>,
    same_engine_attempts: Option<Vec<i64>>,
    same_emitted_at: Option<Vec<Moment>>,
    same_persisted_at: Option<Vec<Moment>>,
    place: Option<i64>,
    run_seq: Option<i64>,
    event_type: Option<String>,
    step_id: Option<String>,
    logical_attempt: Option<i64>,
    engine_attempt: Option<i64>,
    other_emitted_at: Option<Moment>,
    other_persisted_at: Option<Moment>,
    payload: Option<String>,
}

/// The answer to one group.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) verdict: String,
    pub(super) last_seq: Option<i64>,
    pub(super) seen_seq: Option<i64>,
    pub(super) pruned_at: Option<Moment>,
    pub(super) persisted_at: Option<Moment>,
    /// Known events that say what was sent, by their place among those that were sent for the group, from 1.
    pub(super) same: Vec<(i64, SameContent)>,
    /// The other known events.
    pub(super) other: Vec<(i64, StoredEvent)>,
}

impl<'a> Append<'a> {
    /// `looks`: whether keys are looked for at once.
    pub(super) fn of<'g>(
        groups: impl Iterator<Item = &'g Group<'a>>,
        clock_shift: i64,
        looks: bool,
    ) -> Self
    where
        'a: 'g,
    {
        let mut statement = Self {
            clock_shift,
            looks: AtomicBool::new(looks),
            ..Self::default()
        };
        for (request_no, group) in (1..).zip(groups) {
            statement.tenant_ids.push(group.run.tenant_id.as_str());
            statement.run_ids.push(group.run.run_id.as_str());
            statement.expected.push(group.expected);
            statement.status_after.push(group.status_after());
            let before = statement.request_nos.len();
            for event in group.unknown() {
                statement.request_nos.push(request_no);
                statement.events.push(event);
            }
            let count = statement.request_nos.len() - before;
            statement.events_before.push(before as i64);
            statement.event_counts.push(count as i64);
        }
        debug_assert!(
            statement
                .tenant_ids
                .iter()
                .zip(&statement.run_ids)
                .is_sorted_by(|a, b| a < b),
            "at most one group for each run, in order"
        );
        statement
    }
}

impl Statement for Append<'_> {
    const WRITES: bool = true;
    type Reply = Rows;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        // Sent again, it looks: most likely a key was not new.
        if self.looks.swap(true, Ordering::Relaxed) {
            self.judge(connection).await.map(Rows::Judged)
        } else if let ([_], [_]) = (&*self.run_ids, &*self.events.idempotency_keys) {
            self.write_one(connection).await.map(Rows::New)
        } else {
            self.write(connection).await.map(Rows::New)
        }
    }
}

impl Append<'_> {
    /// For a single event.
    async fn write_one(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<NewRow>> {
        sqlx::query_file_as!(
            NewRow,
            "queries/append_one.sql",
            self.tenant_ids[0],
            self.run_ids[0],
            self.expected[0],
            self.status_after[0],
            self.events.event_types[0],
            self.events.step_ids[0],
            self.events.logical_attempts[0],
            self.events.engine_attempts[0],
            self.events.idempotency_keys[0],
            self.events.emitted_at[0] as _,
            self.events.payloads[0],
            self.clock_shift,
        )
        .fetch_all(connection)
        .await
    }

    async fn write(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<NewRow>> {
        sqlx::query_file_as!(
            NewRow,
            "queries/append_new.sql",
            &self.tenant_ids as _,
            &self.run_ids as _,
            &self.expected as _,
            &self.status_after,
            &self.events_before,
            &self.event_counts,
            &self.request_nos,
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

    async fn judge(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<AppendRow>> {
        let payloads = self.events.payloads.iter();
        let payload_sizes: Vec<i64> = payloads
            .map(|payload| bigint(payload.len() as u64))
            .collect();
        sqlx::query_file_as!(
            AppendRow,
            "queries/append.sql",
            &self.tenant_ids as _,
            &self.run_ids as _,
            &self.expected as _,
            &self.status_after,
            &self.events_before,
            &self.event_counts,
            &self.request_nos,
            &self.events.event_types as _,
            &self.events.step_ids as _,
            &self.events.logical_attempts,
            &self.events.engine_attempts,
            &self.events.idempotency_keys as _,
            &self.events.emitted_at as _,
            &self.events.payloads as _,
            &payload_sizes,
            self.clock_shift,
        )
        .fetch_all(connection)
        .await
    }
}

impl Rows {
    /// Whether a key was known; nothing if none was looked for.
    pub(super) fn has_known(&self) -> Option<bool> {
        let Self::Judged(rows) = self else {
            return None;
        };
        let mut rows = rows.iter();
        Some(rows.any(|row| row.place.is_some() || row.same_places.is_some()))
    }

    /// One answer for each of so many groups; none for one that was not written, and why is not known.
    pub(super) fn answers(self, groups: usize) -> Result<Vec<Option<Answer>>, Fault> {
        match self {
            Self::New(rows) => written(rows, groups),
            Self::Judged(rows) => {
                let answers = by_request(rows, groups)?;
                Ok(answers.into_iter().map(Some).collect())
            }
        }
    }
}

/// The place of the request of this number among so many groups.
fn place(request_no: i64, groups: usize) -> Result<usize, Fault> {
    usize::try_from(request_no - 1)
        .ok()
        .filter(|place| *place < groups)
        .ok_or_else(|| Fault::Corrupt("a reply to a request that was not sent".to_owned()))
}

fn written(rows: Vec<NewRow>, groups: usize) -> Result<Vec<Option<Answer>>, Fault> {
    let mut answers: Vec<Option<Answer>> = Vec::new();
    answers.resize_with(groups, || None);
    for row in rows {
        answers[place(row.request_no, groups)?] = Some(Answer {
            verdict: "append".to_owned(),
            last_seq: Some(row.head),
            seen_seq: None,
            pruned_at: None,
            persisted_at: Some(row.persisted_at),
            same: Vec::new(),
            other: Vec::new(),
        });
    }
    Ok(answers)
}

/// The rows sorted into one answer for each of so many groups.
fn by_request(rows: Vec<AppendRow>, groups: usize) -> Result<Vec<Answer>, Fault> {
    let mut answers: Vec<Option<Answer>> = Vec::new();
    answers.resize_with(groups, || None);
    for row in rows {
        let index = place(row.request_no, groups)?;
        let answer = answers[index].get_or_insert_with(|| Answer {
            verdict: row.verdict,
            last_seq: row.last_seq,
            seen_seq: row.seen_seq,
            pruned_at: row.pruned_at,
            persisted_at: row.persisted_at,
            same: Vec::new(),
            other: Vec::new(),
        });
        if answer.same.is_empty() {
            answer.same = SameContent::of_columns(
                row.same_places.unwrap_or_default(),
                row.same_run_seqs.unwrap_or_default(),
                row.same_engine_attempts.unwrap_or_default(),
                row.same_emitted_at.unwrap_or_default(),
                row.same_persisted_at.unwrap_or_default(),
            );
        }
        if let Some(place) = row.place {
            let stored = StoredEvent {
                run_seq: row.run_seq,
                event_type: row.event_type,
                step_id: row.step_id,
                logical_attempt: row.logical_attempt,
                engine_attempt: row.engine_attempt,
                emitted_at: row.other_emitted_at,
                persisted_at: row.other_persisted_at,
                payload: row.payload,
            };
            answer.other.push((place, stored));
        }
    }
    let missing = || Fault::Corrupt("a request without an answer".to_owned());
    answers
        .into_iter()
        .map(|answer| answer.ok_or_else(missing))
        .collect()
}
