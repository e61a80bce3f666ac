use std::fmt;

use serde::{Deserialize, Serialize};

use super::StepStatus;
use crate::attempt::Attempt;
use crate::event_type::EventType;
use crate::identifier::StepId;
use crate::run_status::RunStatus;

/// A proposed event that the transition table does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub struct IllegalTransition {
    /// The run's status before the event.
    pub from: RunStatus,
    /// The event's type.
    pub event: EventType,
    /// The event's step.
    pub step: Option<StepId>,
    /// The rule that it breaks.
    pub rule: Rule,
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.event)?;
        if let Some(step) = &self.step {
            write!(f, " of step {:?}", step.as_str())?;
        }
        write!(
            f,
            " is illegal in a run that is {}: {}",
            self.from, self.rule
        )
    }
}

/// The rule that an illegal event breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Rule {
    /// The event is not legal in the run's status.
    Status {
        /// The statuses in which it is legal.
        legal_from: Vec<RunStatus>,
    },
    /// The event can only be the first of a log.
    FirstEvent {
        /// The last `run_seq` of the log.
        last_seq: u64,
    },
    /// A new start needs a higher logical attempt.
    HigherAttempt {
        /// The last attempt of the run or step.
        last: Attempt,
        /// The attempt given.
        found: Attempt,
    },
    /// The step is still running.
    StepRunning {
        /// The attempt in which it runs.
        attempt: Attempt,
    },
    /// The step has already ended in this attempt.
    StepEnded {
        /// The attempt.
        attempt: Attempt,
        /// How it ended.
        status: StepStatus,
    },
    /// The step has gone on to a later attempt.
    StaleAttempt {
        /// The step's last attempt.
        last: Attempt,
        /// The attempt given.
        found: Attempt,
    },
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { legal_from } => {
                let names: Vec<_> = legal_from.iter().map(|status| status.as_str()).collect();
                write!(f, "it is legal from {}", names.join(", "))
            }
            Self::FirstEvent { last_seq } => {
                write!(
                    f,
                    "it can only be the first event, and the log has {last_seq}"
                )
            }
            Self::HigherAttempt { last, found } => {
                write!(f, "expected a logical attempt above {last}, found {found}")
            }
            Self::StepRunning { attempt } => {
                write!(
                    f,
                    "the step is still running in attempt {attempt}: end it first"
                )
            }
            Self::StepEnded { attempt, status } => {
                write!(f, "the step has ended in attempt {attempt} ({status:?})")
            }
            Self::StaleAttempt { last, found } => {
                write!(
                    f,
                    "the step is in attempt {last}, the event belongs to attempt {found}"
                )
            }
        }
    }
}
