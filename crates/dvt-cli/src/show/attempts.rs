use std::collections::HashMap;
use std::time::Duration;

use dvt_contracts::{Attempt, Event, EventType, RunEvent, StepId, StepStatus, Timestamp};

use super::scale::Span;

/// The attempts of all steps of a run, as the log tells them. [`RunState`](dvt_contracts::RunState) keeps
/// the last attempt of each step only.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    rows: Vec<Row>,
    index: HashMap<(StepId, Attempt), usize>,
    highest: HashMap<StepId, Attempt>,
    span: Option<Span>,
}

/// One attempt of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) step_id: StepId,
    pub(super) attempt: Attempt,
    pub(super) status: StepStatus,
    pub(super) started_at: Timestamp,
    /// Its end; for one that has not ended, the last moment of the log.
    pub(super) ended_at: Timestamp,
    /// How many attempts the step has in all.
    pub(super) attempts: Attempt,
}

/// A timeline of more steps than `ALL` is cut to the `LONGEST` ones and those that tell what went wrong.
const ALL: usize = 60;
const LONGEST: usize = 40;
/// And if hundreds went wrong, this many are enough to see it.
const MOST: usize = 200;

impl Row {
    pub(super) fn duration(&self) -> Duration {
        self.ended_at.saturating_since(self.started_at)
    }

    fn tells_trouble(&self) -> bool {
        matches!(self.status, StepStatus::Failed | StepStatus::Skipped)
    }
}

impl Attempts {
    /// Takes in the next event.
    pub(super) fn fold(&mut self, stored: &RunEvent) {
        let event = &stored.event;
        let at = event.emitted_at();
        let span = self.span.get_or_insert(Span { start: at, end: at });
        span.start = span.start.min(at);
        span.end = span.end.max(at);
        let status = match event.event_type() {
            EventType::StepStarted => StepStatus::Running,
            EventType::StepCompleted => StepStatus::Completed,
            EventType::StepFailed => StepStatus::Failed,
            EventType::StepSkipped => StepStatus::Skipped,
            _ => return,
        };
        if let Some(step_id) = event.step_id() {
            self.step(step_id, status, event);
        }
    }

    fn step(&mut self, step_id: &StepId, status: StepStatus, event: &Event) {
        let attempt = event.logical_attempt();
        let at = event.emitted_at();
        let highest = self.highest.entry(step_id.clone()).or_insert(attempt);
        *highest = attempt.max(*highest);
        let index = *self
            .index
            .entry((step_id.clone(), attempt))
            .or_insert_with(|| {
                self.rows.push(Row {
                    step_id: step_id.clone(),
                    attempt,
                    // An end without a start is both.
                    status: StepStatus::Running,
                    started_at: at,
                    ended_at: at,
                    attempts: attempt,
                });
                self.rows.len() - 1
            });
        // The first end of an attempt stands, as in the fold: a later one is an anomaly.
        if let Some(row) = self
            .rows
            .get_mut(index)
            .filter(|row| row.status == StepStatus::Running)
        {
            row.status = status;
            row.ended_at = at.max(row.started_at);
        }
    }

    /// From the first moment of the log to its last.
    pub(super) fn span(&self) -> Span {
        self.span.unwrap_or(Span {
            start: Timestamp::MIN,
            end: Timestamp::MIN,
        })
    }

    /// All rows, in the order of their first events.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows worth showing, by start, and how many are left out.
    pub(super) fn rows_to_show(&self) -> (Vec<Row>, usize) {
        let end = self.span().end;
        let mut rows: Vec<Row> = self
            .rows
            .iter()
            .map(|row| Row {
                ended_at: if row.status == StepStatus::Running {
                    end
                } else {
                    row.ended_at
                },
                attempts: self
                    .highest
                    .get(&row.step_id)
                    .copied()
                    .unwrap_or(row.attempt),
                ..row.clone()
            })
            .collect();
        let all = rows.len();
        if all > ALL {
            rows.sort_by_key(|row| std::cmp::Reverse(row.duration()));
            let mut at = 0;
            rows.retain(|row| {
                at += 1;
                at <= LONGEST || row.tells_trouble()
            });
            rows.truncate(MOST);
        }
        rows.sort_by(|a, b| {
            (a.started_at, a.ended_at, &a.step_id, a.attempt).cmp(&(
                b.started_at,
                b.ended_at,
                &b.step_id,
                b.attempt,
            ))
        });
        let hidden = all - rows.len();
        (rows, hidden)
    }

    /// How many steps there are in each status of their last attempt, in words.
    pub(super) fn counts(&self) -> String {
        let statuses = [
            StepStatus::Completed,
            StepStatus::Failed,
            StepStatus::Skipped,
            StepStatus::Running,
        ];
        let last = |row: &&Row| self.highest.get(&row.step_id) == Some(&row.attempt);
        let counts: Vec<_> = statuses
            .into_iter()
            .map(|status| {
                (
                    self.rows
                        .iter()
                        .filter(last)
                        .filter(|row| row.status == status)
                        .count(),
                    status,
                )
            })
            .filter(|(count, _)| *count > 0)
            .map(|(count, status)| {
                format!("{} {}", crate::text::grouped(count as u64), word(status))
            })
            .collect();
        counts.join(", ")
    }
}

/// A step's status as it is written.
pub(super) fn word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Running => "running",
        StepStatus::Completed => "completed",
        StepStatus::Failed => "failed",
        StepStatus::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, event_type: EventType, step: &str, attempt: u32, micros: i64) -> RunEvent {
        let at = Timestamp::from_micros(micros).unwrap();
        let key = format!("{seq}").parse().unwrap();
        let event = Event::new(event_type, Some(step.parse().unwrap()), key, at)
            .unwrap()
            .with_logical_attempt(Attempt::new(attempt).unwrap());
        RunEvent {
            run_seq: seq,
            persisted_at: at,
            event,
        }
    }

    fn folded(events: &[(EventType, &str, u32, i64)]) -> Attempts {
        let mut attempts = Attempts::default();
        for (at, (event_type, step, attempt, micros)) in events.iter().enumerate() {
            attempts.fold(&event(
                at as u64 + 1,
                event_type.clone(),
                step,
                *attempt,
                *micros,
            ));
        }
        attempts
    }

    #[test]
    fn each_attempt_is_a_row_and_open_ones_reach_the_end() {
        let attempts = folded(&[
            (EventType::StepStarted, "a", 1, 10),
            (EventType::StepFailed, "a", 1, 30),
            (EventType::StepStarted, "b", 1, 35),
            (EventType::StepStarted, "a", 2, 40),
            (EventType::StepCompleted, "a", 2, 90),
        ]);
        let (rows, hidden) = attempts.rows_to_show();
        assert_eq!(hidden, 0);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.step_id.as_str(),
                    row.attempt.get(),
                    row.status,
                    row.duration().as_micros(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("a", 1, StepStatus::Failed, 20),
                ("b", 1, StepStatus::Running, 55),
                ("a", 2, StepStatus::Completed, 50),
            ]
        );
        assert_eq!(attempts.counts(), "1 completed, 1 running");
    }

    #[test]
    fn of_many_steps_the_longest_and_the_troubled_are_shown() {
        let mut attempts = Attempts::default();
        for number in 0..100 {
            let step = format!("step {number}");
            let start = i64::from(number) * 1_000;
            attempts.fold(&event(1, EventType::StepStarted, &step, 1, start));
            let end = if number < 5 {
                EventType::StepFailed
            } else {
                EventType::StepCompleted
            };
            attempts.fold(&event(2, end, &step, 1, start + i64::from(number)));
        }
        let (rows, hidden) = attempts.rows_to_show();
        assert_eq!((rows.len(), hidden), (45, 55));
        assert_eq!(rows.iter().filter(|row| row.tells_trouble()).count(), 5);
        assert!(
            rows.windows(2)
                .all(|pair| pair[0].started_at <= pair[1].started_at)
        );
    }
}
