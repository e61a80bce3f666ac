use std::collections::HashMap;
use std::time::Duration;

use dvt_contracts::{Attempt, StepId, StepStatus, Timestamp};

use super::attempts::{Attempts, Row, word};
use super::chain::Chain;
use super::scale::Span;
use crate::text;

/// All that the steps of a run did, and when.
#[derive(Debug)]
pub(super) struct Course {
    /// From the first moment of the log to its last.
    pub(super) span: Span,
    /// The attempts of all steps, in the order of their first events.
    pub(super) rows: Vec<Row>,
    /// The steps, in the same order.
    pub(super) steps: Vec<Step>,
    /// What decided the run's length.
    pub(super) chain: Chain,
}

/// A step with all its attempts.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) id: StepId,
    /// Its attempts, by their places among the rows.
    pub(super) rows: Vec<usize>,
    /// The status of its last attempt.
    pub(super) status: StepStatus,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    /// How long its attempts took together.
    pub(super) work: Duration,
    /// Whether one of its attempts is part of the chain.
    pub(super) in_chain: bool,
    last: Attempt,
}

/// The statuses of steps, in the order in which they are told.
pub(super) const STATUSES: [StepStatus; 4] = [
    StepStatus::Completed,
    StepStatus::Failed,
    StepStatus::Skipped,
    StepStatus::Running,
];

impl Course {
    /// What a log tells.
    pub(super) fn of(attempts: Attempts) -> Self {
        let (span, mut rows) = attempts.finish();
        let chain = Chain::mark(&mut rows);
        let mut steps: Vec<Step> = Vec::new();
        let mut places: HashMap<&StepId, usize> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            match places.get(&row.step_id) {
                Some(place) => steps[*place].take(at, row),
                None => {
                    places.insert(&row.step_id, steps.len());
                    steps.push(Step::new(at, row));
                }
            }
        }
        Self {
            span,
            steps,
            chain,
            rows,
        }
    }

    /// The attempts of a step.
    pub(super) fn rows_of<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Row> {
        step.rows.iter().map(|row| &self.rows[*row])
    }

    /// How many steps there are in each status, in words.
    pub(super) fn counts(&self) -> String {
        counts(self.steps.iter().map(|step| step.status))
    }
}

impl Step {
    fn new(at: usize, row: &Row) -> Self {
        Self {
            id: row.step_id.clone(),
            rows: vec![at],
            status: row.status,
            started_at: row.started_at,
            ended_at: row.ended_at,
            work: row.duration(),
            in_chain: row.link.is_some(),
            last: row.attempt,
        }
    }

    fn take(&mut self, at: usize, row: &Row) {
        self.rows.push(at);
        if row.attempt > self.last {
            self.last = row.attempt;
            self.status = row.status;
        }
        self.started_at = self.started_at.min(row.started_at);
        self.ended_at = self.ended_at.max(row.ended_at);
        self.work = self.work.saturating_add(row.duration());
        self.in_chain |= row.link.is_some();
    }
}

/// How many of each status there are, in words.
pub(super) fn counts(statuses: impl Iterator<Item = StepStatus> + Clone) -> String {
    let counted = STATUSES.map(|status| {
        let count = statuses.clone().filter(|found| *found == status).count();
        (count as u64, status)
    });
    let told: Vec<_> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{} {}", text::grouped(count), word(status)))
        .collect();
    told.join(", ")
}
