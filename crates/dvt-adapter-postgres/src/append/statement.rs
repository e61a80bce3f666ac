use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::PgConnection;

use super::group::Group;
use crate::event_columns::{EventColumns, SameContent, StoredEvent};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/append.sql`: groups of different runs, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Append<'a> {
    tenant_ids: Vec<&'a str>,
    run_ids: Vec<&'a str>,
    expected: Vec<Option<i64>>,
    status_after: Vec<String>,
    events_before: Vec<i64>,
    event_counts: Vec<i64>,
    request_nos: Vec<i64>,
    /// The numbers of the events whose keys tell whether to look for the others': of each caller's request the first, and of what
    /// cannot be told from it, or be sent again, each itself.
    first_nos: Vec<i64>,
    events: EventColumns<'a>,
    clock_shift: i64,
    /// Whether it was sent before, so that no key is taken to be new unseen.
    is_repeated: AtomicBool,
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
    /// `repeatable`: whether it may be sent again when a key that was taken to be new is not.
    pub(super) fn of<'g>(
        groups: impl Iterator<Item = &'g Group<'a>>,
        clock_shift: i64,
        repeatable: bool,
    ) -> Self
    where
        'a: 'g,
    {
        let mut statement = Self {
            clock_shift,
            is_repeated: AtomicBool::new(!repeatable),
            ..Self::default()
        };
        for (request_no, group) in (1..).zip(groups) {
            statement.tenant_ids.push(group.run.tenant_id.as_str());
            statement.run_ids.push(group.run.run_id.as_str());
            statement.expected.push(group.expected);
            statement.status_after.push(group.status_after());
            let before = statement.request_nos.len();
            for (event, first) in group.unknown() {
                statement.request_nos.push(request_no);
                statement.first_nos.push((before + first + 1) as i64);
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
    type Reply = Vec<AppendRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        let each_itself: Vec<i64>;
        let first_nos = match self.is_repeated.swap(true, Ordering::Relaxed) {
            false => &self.first_nos,
            true => {
                each_itself = (1..=self.first_nos.len() as i64).collect();
                &each_itself
            }
        };
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
            first_nos,
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
}

/// The rows sorted into one answer for each of so many groups.
pub(super) fn by_request(rows: Vec<AppendRow>, groups: usize) -> Result<Vec<Answer>, Fault> {
    let mut answers: Vec<Option<Answer>> = Vec::new();
    answers.resize_with(groups, || None);
    let index_of = |row: &AppendRow| {
        usize::try_from(row.request_no - 1)
            .ok()
            .filter(|index| *index < groups)
            .ok_or_else(|| Fault::Corrupt("a reply to a request that was not sent".to_owned()))
    };
    for row in rows {
        let index = index_of(&row)?;
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
