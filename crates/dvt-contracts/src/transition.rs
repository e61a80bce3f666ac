use crate::event_type::EventType;
use crate::run_status::RunStatus::{self, Cancelled, Completed, Failed, Paused, Pending, Running};

/// One row of the transition table: what an event type does to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The event type.
    pub event: EventType,
    /// The statuses in which it is legal.
    pub from: &'static [RunStatus],
    /// The status after it, where it is legal; `None` leaves the status as it is.
    pub to: Option<RunStatus>,
    /// What the strict face of [`RunState`](crate::RunState) asks beyond the status.
    pub extra: Extra,
}

/// What an event asks or means beyond the statuses of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// Nothing.
    None,
    /// It must be the first event of the log.
    FirstEvent,
    /// From Failed, its logical attempt must be higher than the last run attempt.
    HigherRunAttempt,
    /// It marks the run as being cancelled.
    Cancelling,
    /// Steps that are still running are an anomaly, but not illegal.
    ClosesSteps,
    /// Its step must be new, or finished and the logical attempt higher than the step's last.
    StepStart,
    /// Its step must be running in this attempt, or not have been started in it: then the event
    /// counts as start and end.
    StepEnd,
}

const ALIVE: &[RunStatus] = &[Pending, Running, Paused];
const STARTED: &[RunStatus] = &[Running, Paused];

const fn row(
    event: EventType,
    from: &'static [RunStatus],
    to: Option<RunStatus>,
    extra: Extra,
) -> Transition {
    Transition {
        event,
        from,
        to,
        extra,
    }
}

/// The transition table. [`EventType::Other`] has no row: it is legal everywhere and changes nothing.
///
/// The status after an event is a function of the status before and the event type alone
/// ([`status_after`]), so a store keeps it in one column and never folds.
pub static TRANSITIONS: [Transition; 12] = [
    row(
        EventType::RunQueued,
        &[Pending],
        Some(Pending),
        Extra::FirstEvent,
    ),
    row(
        EventType::RunStarted,
        &[Pending, Failed],
        Some(Running),
        Extra::HigherRunAttempt,
    ),
    row(EventType::RunPaused, &[Running], Some(Paused), Extra::None),
    row(EventType::RunResumed, &[Paused], Some(Running), Extra::None),
    row(
        EventType::RunCancelRequested,
        ALIVE,
        None,
        Extra::Cancelling,
    ),
    row(EventType::RunCancelled, ALIVE, Some(Cancelled), Extra::None),
    row(
        EventType::RunCompleted,
        &[Running],
        Some(Completed),
        Extra::ClosesSteps,
    ),
    row(EventType::RunFailed, ALIVE, Some(Failed), Extra::None),
    row(EventType::StepStarted, STARTED, None, Extra::StepStart),
    row(EventType::StepCompleted, STARTED, None, Extra::StepEnd),
    row(EventType::StepFailed, STARTED, None, Extra::StepEnd),
    row(EventType::StepSkipped, STARTED, None, Extra::StepEnd),
];

/// The row of an event type; `None` for [`EventType::Other`].
#[must_use]
pub fn transition(event: &EventType) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|row| row.event == *event)
}

/// The status after an event of this type, legal or not: an event that is illegal in `status`
/// changes nothing.
///
/// ```
/// use dvt_contracts::{EventType, RunStatus, status_after};
///
/// assert_eq!(status_after(RunStatus::Pending, &EventType::RunStarted), RunStatus::Running);
/// assert_eq!(status_after(RunStatus::Completed, &EventType::RunStarted), RunStatus::Completed);
/// ```
#[must_use]
pub fn status_after(status: RunStatus, event: &EventType) -> RunStatus {
    transition(event)
        .filter(|row| row.from.contains(&status))
        .and_then(|row| row.to)
        .unwrap_or(status)
}
