use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::event::{Event, RunEvent};
use crate::event_type::EventType;
use crate::identifier::StepId;
use crate::run_status::RunStatus;
use crate::timestamp::Timestamp;
use crate::transition::{Extra, status_after, transition};

mod rule;
pub use self::rule::{IllegalTransition, Rule};

/// The state of a run: the fold of its log.
///
/// It has two faces. The **strict** one, [`judge`](Self::judge), says whether a proposed event is
/// legal. The **tolerant** one, [`fold`](Self::fold), takes in whatever was stored: an event that is
/// illegal in its status becomes a listed [`Anomaly`] and changes nothing else; one that only breaks
/// an [`Extra`] is listed too, moves the status by the table and leaves its step alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    status: RunStatus,
    cancelling: bool,
    run_attempt: Option<Attempt>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    last_seq: u64,
    steps: BTreeMap<StepId, StepState>,
    anomalies: Vec<Anomaly>,
    anomalies_total: u64,
}

/// Where a step stands, in its last attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// Running, or how it ended.
    pub status: StepStatus,
    /// The attempt that the status belongs to.
    pub logical_attempt: Attempt,
    /// When that attempt began, by the producer's clock; its end, if no start was reported.
    pub started_at: Timestamp,
    /// When that attempt ended, by the producer's clock.
    pub ended_at: Option<Timestamp>,
}

/// How a step's attempt goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepStatus {
    /// Going on.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Skipped, perhaps after it had started.
    Skipped,
}

/// Something in a log that the rules do not foresee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The event that it was noticed at.
    pub run_seq: u64,
    /// What was noticed.
    pub kind: AnomalyKind,
}

/// What is odd about an event in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// The strict face would have refused it.
    Illegal(IllegalTransition),
    /// The run completed while this many steps were still running.
    OpenSteps(u64),
}

impl Default for RunState {
    fn default() -> Self {
        Self {
            status: RunStatus::Pending,
            cancelling: false,
            run_attempt: None,
            started_at: None,
            ended_at: None,
            last_seq: 0,
            steps: BTreeMap::new(),
            anomalies: Vec::new(),
            anomalies_total: 0,
        }
    }
}

impl RunState {
    /// At most this many anomalies are listed; [`anomalies_total`](Self::anomalies_total) counts on.
    pub const MAX_ANOMALIES: usize = 1_000;

    /// The state of a run without events.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the run stands.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.status
    }

    /// Whether somebody asked for the run to be cancelled since it last started.
    #[must_use]
    pub fn cancelling(&self) -> bool {
        self.cancelling
    }

    /// The highest logical attempt among the run's starts.
    #[must_use]
    pub fn run_attempt(&self) -> Option<Attempt> {
        self.run_attempt
    }

    /// When the run last started, by the producer's clock.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// When the run ended, by the producer's clock; `None` while it has not.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// The `run_seq` of the last event folded in; 0 before the first.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The steps, by id.
    #[must_use]
    pub fn steps(&self) -> &BTreeMap<StepId, StepState> {
        &self.steps
    }

    /// The first anomalies, in log order.
    #[must_use]
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// How many anomalies there were, listed or not.
    #[must_use]
    pub fn anomalies_total(&self) -> u64 {
        self.anomalies_total
    }

    /// The strict face: is this event legal next?
    ///
    /// # Errors
    /// [`IllegalTransition`] names the status, the event and the rule that it breaks.
    pub fn judge(&self, event: &Event) -> Result<(), IllegalTransition> {
        match self.broken_rule(event) {
            None => Ok(()),
            Some(rule) => Err(IllegalTransition {
                from: self.status,
                event: event.event_type().clone(),
                step: event.step_id().cloned(),
                rule,
            }),
        }
    }

    /// The tolerant face: takes in the next stored event.
    ///
    /// Events must come in log order; one that is already folded in is ignored.
    pub fn fold(&mut self, stored: &RunEvent) {
        if stored.run_seq <= self.last_seq {
            return;
        }
        let event = &stored.event;
        let verdict = self.judge(event);
        self.last_seq = stored.run_seq;
        let Some(row) = transition(event.event_type()) else {
            return;
        };
        let in_status = row.from.contains(&self.status);
        let legal = verdict.is_ok();
        if let Err(illegal) = verdict {
            self.note(stored.run_seq, AnomalyKind::Illegal(illegal));
        }
        if !in_status {
            return;
        }
        self.move_status(event);
        match row.extra {
            Extra::Cancelling => self.cancelling = true,
            Extra::ClosesSteps => {
                let open = |step: &&StepState| step.status == StepStatus::Running;
                match self.steps.values().filter(open).count() {
                    0 => {}
                    open => self.note(stored.run_seq, AnomalyKind::OpenSteps(open as u64)),
                }
            }
            Extra::StepStart | Extra::StepEnd if legal => self.move_step(event),
            _ => {}
        }
    }

    fn note(&mut self, run_seq: u64, kind: AnomalyKind) {
        self.anomalies_total += 1;
        if self.anomalies.len() < Self::MAX_ANOMALIES {
            self.anomalies.push(Anomaly { run_seq, kind });
        }
    }

    fn move_status(&mut self, event: &Event) {
        let before = self.status;
        self.status = status_after(before, event.event_type());
        if *event.event_type() == EventType::RunStarted {
            self.run_attempt = self.run_attempt.max(Some(event.logical_attempt()));
            self.started_at = Some(event.emitted_at());
            self.ended_at = None;
            self.cancelling = before == RunStatus::Pending && self.cancelling;
        } else if self.status.is_terminal() && !before.is_terminal() {
            self.ended_at = Some(event.emitted_at());
        }
    }

    fn move_step(&mut self, event: &Event) {
        let Some(step_id) = event.step_id() else {
            return;
        };
        let status = match event.event_type() {
            EventType::StepStarted => StepStatus::Running,
            EventType::StepCompleted => StepStatus::Completed,
            EventType::StepFailed => StepStatus::Failed,
            EventType::StepSkipped => StepStatus::Skipped,
            _ => return,
        };
        let logical_attempt = event.logical_attempt();
        let started_at = match self.steps.get(step_id) {
            Some(step) if step.logical_attempt == logical_attempt => step.started_at,
            _ => event.emitted_at(),
        };
        let ended_at = (status != StepStatus::Running).then(|| event.emitted_at());
        let step = StepState {
            status,
            logical_attempt,
            started_at,
            ended_at,
        };
        self.steps.insert(step_id.clone(), step);
    }

    fn broken_rule(&self, event: &Event) -> Option<Rule> {
        let row = transition(event.event_type())?;
        if !row.from.contains(&self.status) {
            return Some(Rule::Status {
                legal_from: row.from.to_vec(),
            });
        }
        let attempt = event.logical_attempt();
        match row.extra {
            Extra::FirstEvent if self.last_seq > 0 => Some(Rule::FirstEvent {
                last_seq: self.last_seq,
            }),
            Extra::HigherRunAttempt if self.status == RunStatus::Failed => {
                let last = self.run_attempt?;
                (attempt <= last).then_some(Rule::HigherAttempt {
                    last,
                    found: attempt,
                })
            }
            Extra::StepStart => {
                let step = self.steps.get(event.step_id()?)?;
                if step.status == StepStatus::Running {
                    Some(Rule::StepRunning {
                        attempt: step.logical_attempt,
                    })
                } else {
                    let last = step.logical_attempt;
                    (attempt <= last).then_some(Rule::HigherAttempt {
                        last,
                        found: attempt,
                    })
                }
            }
            Extra::StepEnd => {
                let step = self.steps.get(event.step_id()?)?;
                let last = step.logical_attempt;
                if attempt < last {
                    Some(Rule::StaleAttempt {
                        last,
                        found: attempt,
                    })
                } else if attempt == last && step.status != StepStatus::Running {
                    Some(Rule::StepEnded {
                        attempt: last,
                        status: step.status,
                    })
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}
