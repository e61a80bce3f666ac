use dvt_contracts::{Event, RunEvent};
use sqlx::PgConnection;

use super::group::Group;
use crate::event_columns::{EventColumns, StoredEvent};
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
    events: EventColumns<'a>,
    clock_shift: i64,
}

#[derive(Debug)]
pub(super) struct AppendRow {
    request_no: i64,
    place: Option<i64>,
    verdict: String,
    last_seq: Option<i64>,
    seen_seq: Option<i64>,
    pruned_at: Option<Moment>,
    persisted_at: Option<Moment>,
    known_seq: Option<i64>,
    same_content: Option<bool>,
    known_engine_attempt: Option<i64>,
    known_emitted_at: Option<Moment>,
    known_persisted_at: Option<Moment>,
    known_event_type: Option<String>,
    known_step_id: Option<String>,
    known_logical_attempt: Option<i64>,
    known_payload: Option<String>,
}

/// The answer to one group.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) verdict: String,
    pub(super) last_seq: Option<i64>,
    pub(super) seen_seq: Option<i64>,
    pub(super) pruned_at: Option<Moment>,
    pub(super) persisted_at: Option<Moment>,
    /// Known events, by their place among those that were sent for the group.
    pub(super) known: Vec<(usize, KnownEvent)>,
}

/// A stored event whose key was sent.
#[derive(Debug)]
pub(super) struct KnownEvent {
    /// Whether it says the same as the one that was sent: then the columns that tell what it says are not there.
    same_content: bool,
    columns: StoredEvent,
}

impl KnownEvent {
    pub(super) fn decode(self, sent: &Event) -> Result<Option<RunEvent>, Fault> {
        match self.same_content {
            true => self.columns.decode_like(sent),
            false => self.columns.decode(sent.idempotency_key().clone()),
        }
    }
}

impl<'a> Append<'a> {
    pub(super) fn of<'g>(groups: impl Iterator<Item = &'g Group<'a>>, clock_shift: i64) -> Self
    where
        'a: 'g,
    {
        let mut statement = Self {
            clock_shift,
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
    type Reply = Vec<AppendRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
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
            known: Vec::new(),
        });
        if let Some(place) = row.place {
            let known = KnownEvent {
                same_content: row.same_content == Some(true),
                columns: StoredEvent {
                    run_seq: row.known_seq,
                    event_type: row.known_event_type,
                    step_id: row.known_step_id,
                    logical_attempt: row.known_logical_attempt,
                    engine_attempt: row.known_engine_attempt,
                    emitted_at: row.known_emitted_at,
                    persisted_at: row.known_persisted_at,
                    payload: row.known_payload,
                },
            };
            // Places count from 1 there; one that is none is refused where it is looked up.
            let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
            answer.known.push((place, known));
        }
    }
    let missing = || Fault::Corrupt("a request without an answer".to_owned());
    answers
        .into_iter()
        .map(|answer| answer.ok_or_else(missing))
        .collect()
}
