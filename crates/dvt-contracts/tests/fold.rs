//! What a fold keeps besides the status: times, attempts, steps, the wish to cancel, a bounded list of anomalies.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::collections::BTreeMap;

use dvt_contracts::EventType::*;
use dvt_contracts::{
    AnomalyKind, Attempt, Event, EventType, Rule, RunEvent, RunState, RunStatus, StepId, StepState,
    StepStatus, Timestamp,
};

/// The moment at which the event with this number was emitted; no event is persisted at any of them.
fn at(number: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(number).unwrap() * 1_000_000).unwrap()
}

fn attempt(number: u32) -> Attempt {
    Attempt::new(number).unwrap()
}

fn stored(run_seq: u64, event_type: EventType, step: &str, number: u32) -> RunEvent {
    let step = (!step.is_empty()).then(|| step.parse().unwrap());
    let key = run_seq.to_string().parse().unwrap();
    let event = Event::new(event_type, step, key, at(run_seq)).unwrap();
    RunEvent {
        run_seq,
        persisted_at: at(1_000_000 + run_seq),
        event: event.with_logical_attempt(attempt(number)),
    }
}

/// Folds the next event and returns it.
fn push(state: &mut RunState, event_type: EventType, step: &str, number: u32) -> RunEvent {
    let event = stored(state.last_seq() + 1, event_type, step, number);
    state.fold(&event);
    event
}

/// Status, cancelling, run attempt, when started, when ended, last number: each moment as its event's number.
type Run = (RunStatus, bool, Option<u32>, Option<u64>, Option<u64>, u64);

/// Step, status, attempt, when started, when ended.
type Step = (&'static str, StepStatus, u32, u64, Option<u64>);

/// Pins everything but the anomalies.
#[track_caller]
fn pin(state: &RunState, run: Run, steps: &[Step]) {
    let (status, cancelling, run_attempt, started, ended, last_seq) = run;
    assert_eq!(state.status(), status);
    assert_eq!(state.cancelling(), cancelling, "cancelling");
    assert_eq!(state.run_attempt(), run_attempt.map(attempt));
    assert_eq!(state.started_at(), started.map(at), "started_at");
    assert_eq!(state.ended_at(), ended.map(at), "ended_at");
    assert_eq!(state.last_seq(), last_seq);
    let steps = steps.iter().map(|&(step, status, number, began, over)| {
        let step_state = StepState {
            status,
            logical_attempt: attempt(number),
            started_at: at(began),
            ended_at: over.map(at),
        };
        (step.parse::<StepId>().unwrap(), step_state)
    });
    assert_eq!(*state.steps(), steps.collect::<BTreeMap<_, _>>());
}

#[test]
fn a_history_leaves_its_times_attempts_and_steps() {
    use StepStatus as S;
    let mut state = RunState::new();
    let run = &mut state;
    pin(run, (RunStatus::Pending, false, None, None, None, 0), &[]);
    push(run, RunQueued, "", 1);
    pin(run, (RunStatus::Pending, false, None, None, None, 1), &[]);
    push(run, RunStarted, "", 2);
    let started = (RunStatus::Running, false, Some(2), Some(2), None);
    let running = |last| (started.0, started.1, started.2, started.3, started.4, last);
    pin(run, running(2), &[]);

    // A step fails and is retried, another one completes at once, a third one only ends.
    push(run, StepStarted, "extract", 1);
    pin(run, running(3), &[("extract", S::Running, 1, 3, None)]);
    push(run, StepStarted, "load", 1);
    push(run, StepCompleted, "extract", 1);
    push(run, StepFailed, "load", 1);
    let extract = ("extract", S::Completed, 1, 3, Some(5));
    pin(
        run,
        running(6),
        &[extract, ("load", S::Failed, 1, 4, Some(6))],
    );
    push(run, StepStarted, "load", 2);
    let retried = ("load", S::Running, 2, 7, None);
    pin(run, running(7), &[extract, retried]);
    push(run, StepSkipped, "notify", 3);
    let notify = ("notify", S::Skipped, 3, 8, Some(8));
    pin(run, running(8), &[extract, retried, notify]);

    push(run, RunCancelRequested, "", 1);
    let cancelling = (RunStatus::Running, true, Some(2), Some(2), None, 9);
    pin(run, cancelling, &[extract, retried, notify]);
    push(run, RunFailed, "", 1);
    let failed = (RunStatus::Failed, true, Some(2), Some(2), Some(10), 10);
    pin(run, failed, &[extract, retried, notify]);
    push(run, RunStarted, "", 5);
    let again = (RunStatus::Running, false, Some(5), Some(11), None, 11);
    pin(run, again, &[extract, retried, notify]);

    // The retry ends; of another attempt only the end is known.
    push(run, StepCompleted, "load", 2);
    push(run, StepFailed, "extract", 3);
    push(run, RunPaused, "", 1);
    let steps = [
        ("extract", S::Failed, 3, 13, Some(13)),
        ("load", S::Completed, 2, 7, Some(12)),
        notify,
    ];
    let paused = (RunStatus::Paused, false, Some(5), Some(11), None, 14);
    pin(run, paused, &steps);
    push(run, RunCancelRequested, "", 1);
    push(run, "Note".parse().unwrap(), "load", 9);
    push(run, RunResumed, "", 1);
    let resumed = (RunStatus::Running, true, Some(5), Some(11), None, 17);
    pin(run, resumed, &steps);
    push(run, RunCompleted, "", 1);
    let completed = (RunStatus::Completed, true, Some(5), Some(11), Some(18), 18);
    pin(run, completed, &steps);
    assert_eq!((run.anomalies(), run.anomalies_total()), (&[][..], 0));

    // What comes after the end is counted and changes nothing.
    push(run, RunFailed, "", 1);
    push(run, RunStarted, "", 9);
    push(run, StepStarted, "load", 9);
    let after = (RunStatus::Completed, true, Some(5), Some(11), Some(18), 21);
    pin(run, after, &steps);
    assert_eq!(run.anomalies_total(), 3);
}

#[test]
fn every_end_has_a_time_even_before_the_start() {
    for (event_type, status) in [
        (RunCancelled, RunStatus::Cancelled),
        (RunFailed, RunStatus::Failed),
    ] {
        let mut state = RunState::new();
        push(&mut state, RunQueued, "", 1);
        push(&mut state, event_type.clone(), "", 1);
        pin(&state, (status, false, None, None, Some(2), 2), &[]);
        let mut state = RunState::new();
        push(&mut state, RunStarted, "", 1);
        push(&mut state, RunPaused, "", 1);
        push(&mut state, event_type, "", 1);
        pin(&state, (status, false, Some(1), Some(1), Some(3), 3), &[]);
    }
}

#[test]
fn a_broken_extra_moves_the_run_but_not_its_attempt_or_its_step() {
    let mut state = RunState::new();
    push(&mut state, RunStarted, "", 3);
    push(&mut state, StepStarted, "s", 2);
    push(&mut state, StepStarted, "s", 4);
    push(&mut state, StepCompleted, "s", 1);
    let step = ("s", StepStatus::Running, 2, 2, None);
    let running = (RunStatus::Running, false, Some(3), Some(1), None, 4);
    pin(&state, running, &[step]);
    push(&mut state, RunFailed, "", 3);
    push(&mut state, RunStarted, "", 1);
    let again = (RunStatus::Running, false, Some(3), Some(6), None, 6);
    pin(&state, again, &[step]);
    let noticed = state.anomalies().iter().map(|anomaly| anomaly.run_seq);
    assert_eq!(noticed.collect::<Vec<_>>(), [3, 4, 6]);
}

#[test]
fn a_wish_to_cancel_survives_the_first_start_and_no_restart() {
    let mut state = RunState::new();
    push(&mut state, RunCancelRequested, "", 1);
    let pending = (RunStatus::Pending, true, None, None, None, 1);
    pin(&state, pending, &[]);
    push(&mut state, RunStarted, "", 1);
    let started = (RunStatus::Running, true, Some(1), Some(2), None, 2);
    pin(&state, started, &[]);
    push(&mut state, RunFailed, "", 1);
    let failed = (RunStatus::Failed, true, Some(1), Some(2), Some(3), 3);
    pin(&state, failed, &[]);
    push(&mut state, RunStarted, "", 2);
    let again = (RunStatus::Running, false, Some(2), Some(4), None, 4);
    pin(&state, again, &[]);
}

#[test]
fn events_that_are_folded_already_change_nothing() {
    let mut state = RunState::new();
    let folded = [
        push(&mut state, RunStarted, "", 1),
        push(&mut state, StepStarted, "s", 1),
        push(&mut state, RunPaused, "", 1),
        push(&mut state, RunResumed, "", 1),
        push(&mut state, RunPaused, "", 1),
        push(&mut state, RunFailed, "", 1),
    ];
    let before = state.clone();
    for event in folded.iter().rev().chain(&folded) {
        state.fold(event);
        assert_eq!(state, before, "event {} again", event.run_seq);
    }
    // Not even one that would be legal now, under the last number, an older one or none.
    for run_seq in [6, 5, 1, 0] {
        let event = stored(run_seq, RunStarted, "", 2);
        assert_eq!(state.judge(&event.event), Ok(()));
        state.fold(&event);
        assert_eq!(state, before, "a start at {run_seq}");
    }
    state.fold(&stored(7, RunStarted, "", 2));
    assert_eq!((state.status(), state.last_seq()), (RunStatus::Running, 7));
}

#[test]
fn anomalies_beyond_the_limit_are_counted_and_not_listed() {
    assert_eq!(RunState::MAX_ANOMALIES, 1_000);
    let mut state = RunState::new();
    let mut expected = Vec::new();
    for run_seq in 1..=1_007 {
        push(&mut state, RunPaused, "", 1);
        expected.push(run_seq);
        expected.truncate(1_000);
        assert_eq!(state.anomalies().len(), expected.len());
        assert_eq!(state.anomalies_total(), run_seq);
    }
    push(&mut state, RunStarted, "", 1);
    push(&mut state, StepStarted, "s", 1);
    push(&mut state, RunCompleted, "", 1);
    assert_eq!(state.anomalies_total(), 1_008, "the open step counts too");
    let listed = state.anomalies().iter().map(|anomaly| anomaly.run_seq);
    assert_eq!(listed.collect::<Vec<_>>(), expected, "the first, in order");
    let legal_from = vec![RunStatus::Running];
    assert!(state.anomalies().iter().all(
        |anomaly| matches!(&anomaly.kind, AnomalyKind::Illegal(illegal)
            if illegal.event == RunPaused && illegal.rule == Rule::Status { legal_from: legal_from.clone() })
    ));
}
