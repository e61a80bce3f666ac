use std::collections::HashMap;
use std::time::Duration;

use dvt_contracts::{Attempt, Event, EventType, RunEvent, StepId, StepStatus, Timestamp};

use super::chain::Link;
use super::scale::Span;

/// The attempts of all steps of a run, as the log tells them. [`RunState`](dvt_contracts::RunState) keeps
/// the last attempt of each step only.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    rows: Vec<Row>,
    index: HashMap<(StepId, Attempt), usize>,
    span: Option<Span>,
}

/// One attempt of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) step_id: StepId,
    pub(super) attempt: Attempt,
    pub(super) status: StepStatus,
    pub(super) started_at: Timestamp,
    /// Its end; once the log is read to its end, that is the log's last moment for one that has not ended.
    pub(super) ended_at: Timestamp,
    /// Its place in the chain that decided the run's length, if it is part of it.
    pub(super) link: Option<Link>,
}

impl Row {
    pub(super) fn duration(&self) -> Duration {
        self.ended_at.saturating_since(self.started_at)
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
                    link: None,
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

    /// From the first moment of the log to its last, and all rows in the order of their first events.
    pub(super) fn finish(self) -> (Span, Vec<Row>) {
        let nothing = Span {
            start: Timestamp::MIN,
            end: Timestamp::MIN,
        };
        let span = self.span.unwrap_or(nothing);
        let mut rows = self.rows;
        for row in &mut rows {
            if row.status == StepStatus::Running {
                row.ended_at = span.end;
            }
        }
        (span, rows)
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
        let (span, rows) = attempts.finish();
        assert_eq!(span.length().as_micros(), 80);
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
    }
}
