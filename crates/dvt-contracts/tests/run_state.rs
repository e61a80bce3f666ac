//! The transition table and its two faces.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use dvt_contracts::{
    AnomalyKind, Attempt, Checkpoint, Event, EventType, Extra, IllegalTransition, Rule, RunEvent,
    RunState, RunStatus, StepStatus, TRANSITIONS, Timestamp, status_after, transition,
};
use proptest::prelude::*;

fn event(event_type: EventType, step: Option<&str>, attempt: u32) -> Event {
    let step = step.map(|step| step.parse().unwrap());
    Event::new(event_type, step, "k".parse().unwrap(), Timestamp::MIN)
        .unwrap()
        .with_logical_attempt(Attempt::new(attempt).unwrap())
}

/// Folds the events, numbered from 1 and emitted a second apart.
fn fold(events: &[Event]) -> RunState {
    let mut state = RunState::new();
    events.iter().for_each(|event| push(&mut state, event));
    state
}

fn push(state: &mut RunState, event: &Event) {
    let run_seq = state.last_seq() + 1;
    state.fold(&RunEvent {
        run_seq,
        persisted_at: Timestamp::MIN,
        event: event.clone(),
    });
}

fn run(event_type: EventType) -> Event {
    event(event_type, None, 1)
}

/// A state in each status, reached by legal events.
fn state_in(status: RunStatus) -> RunState {
    use EventType::*;
    let events: &[EventType] = match status {
        RunStatus::Pending => &[],
        RunStatus::Running => &[RunStarted],
        RunStatus::Paused => &[RunStarted, RunPaused],
        RunStatus::Completed => &[RunStarted, RunCompleted],
        RunStatus::Failed => &[RunStarted, RunFailed],
        RunStatus::Cancelled => &[RunStarted, RunCancelled],
    };
    let state = fold(&events.iter().cloned().map(run).collect::<Vec<_>>());
    assert_eq!((state.status(), state.anomalies_total()), (status, 0));
    state
}

#[test]
fn the_table_is_that_of_the_design() {
    use EventType::*;
    use RunStatus::*;
    let alive = vec![Pending, Running, Paused];
    let started = vec![Running, Paused];
    let expected = [
        (RunQueued, vec![Pending], Some(Pending), Extra::FirstEvent),
        (
            RunStarted,
            vec![Pending, Failed],
            Some(Running),
            Extra::HigherRunAttempt,
        ),
        (RunPaused, vec![Running], Some(Paused), Extra::None),
        (RunResumed, vec![Paused], Some(Running), Extra::None),
        (RunCancelRequested, alive.clone(), None, Extra::Cancelling),
        (RunCancelled, alive.clone(), Some(Cancelled), Extra::None),
        (
            RunCompleted,
            vec![Running],
            Some(Completed),
            Extra::ClosesSteps,
        ),
        (RunFailed, alive, Some(Failed), Extra::None),
        (StepStarted, started.clone(), None, Extra::StepStart),
        (StepCompleted, started.clone(), None, Extra::StepEnd),
        (StepFailed, started.clone(), None, Extra::StepEnd),
        (StepSkipped, started, None, Extra::StepEnd),
    ];
    let found = TRANSITIONS
        .iter()
        .map(|row| (row.event.clone(), row.from.to_vec(), row.to, row.extra));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn every_event_is_judged_and_folded_by_the_table_in_every_status() {
    for status in RunStatus::ALL {
        for event_type in EventType::KNOWN {
            let row = transition(&event_type).unwrap();
            let step = event_type.needs_step().then_some("s");
            // Attempt 9 and, for the first event, an empty log satisfy every extra.
            let mut state = state_in(status);
            let proposed = event(event_type.clone(), step, 9);
            let legal = row.from.contains(&status)
                && (row.extra != Extra::FirstEvent || state.last_seq() == 0);

            let verdict = state.judge(&proposed);
            push(&mut state, &proposed);

            assert_eq!(
                verdict.is_ok(),
                legal,
                "{event_type} in {status}: {verdict:?}"
            );
            assert_eq!(
                state.status(),
                status_after(status, &event_type),
                "{event_type} in {status}"
            );
            assert_eq!(
                state.anomalies_total(),
                u64::from(!legal),
                "{event_type} in {status}"
            );
            let after = if row.from.contains(&status) {
                row.to.unwrap_or(status)
            } else {
                status
            };
            assert_eq!(state.status(), after, "{event_type} in {status}");
        }
        let mut state = state_in(status);
        let note = run("Note".parse().unwrap());
        assert_eq!(state.judge(&note), Ok(()));
        push(&mut state, &note);
        assert_eq!((state.status(), state.anomalies_total()), (status, 0));
    }
}

#[test]
fn extras_name_the_rule_that_is_broken() {
    use EventType::*;
    let attempt = |number: u32| Attempt::new(number).unwrap();
    let step = |event_type, number| event(event_type, Some("s"), number);
    let rule = |history: &[Event], proposed: Event| {
        fold(history)
            .judge(&proposed)
            .err()
            .map(|illegal: IllegalTransition| illegal.rule)
    };
    let failed = [run(RunStarted), run(RunFailed)];
    let running = [run(RunStarted), step(StepStarted, 2)];
    let ended = [run(RunStarted), step(StepStarted, 2), step(StepFailed, 2)];

    assert_eq!(
        rule(&[run(RunQueued)], run(RunQueued)),
        Some(Rule::FirstEvent { last_seq: 1 })
    );
    let higher = |last, found| {
        Some(Rule::HigherAttempt {
            last: attempt(last),
            found: attempt(found),
        })
    };
    assert_eq!(rule(&failed, event(RunStarted, None, 1)), higher(1, 1));
    assert_eq!(rule(&failed, event(RunStarted, None, 2)), None);
    assert_eq!(
        rule(&running, step(StepStarted, 3)),
        Some(Rule::StepRunning {
            attempt: attempt(2)
        })
    );
    assert_eq!(rule(&ended, step(StepStarted, 2)), higher(2, 2));
    assert_eq!(rule(&ended, step(StepStarted, 3)), None);
    assert_eq!(rule(&running, step(StepCompleted, 2)), None);
    assert_eq!(rule(&running, step(StepSkipped, 2)), None);
    assert_eq!(rule(&running, step(StepFailed, 3)), None);
    let stale = Rule::StaleAttempt {
        last: attempt(2),
        found: attempt(1),
    };
    assert_eq!(rule(&running, step(StepCompleted, 1)), Some(stale));
    let over = Rule::StepEnded {
        attempt: attempt(2),
        status: StepStatus::Failed,
    };
    assert_eq!(rule(&ended, step(StepCompleted, 2)), Some(over));
    assert_eq!(rule(&[run(RunStarted)], step(StepCompleted, 1)), None);
}

#[test]
fn illegal_events_are_told_with_values_and_remedy() {
    use EventType::*;
    let message = |history: &[Event], proposed: Event| {
        fold(history).judge(&proposed).unwrap_err().to_string()
    };
    assert_eq!(
        message(&[], run(RunPaused)),
        "RunPaused is illegal in a run that is Pending: it is legal from Running"
    );
    assert_eq!(
        message(
            &[run(RunStarted), event(StepStarted, Some("load"), 1)],
            event(StepStarted, Some("load"), 2)
        ),
        "StepStarted of step \"load\" is illegal in a run that is Running: the step is still running in attempt 1: end it first"
    );
}

#[test]
fn illegal_events_change_nothing_but_the_list_of_anomalies() {
    use EventType::*;
    let mut state = fold(&[
        run(RunStarted),
        event(StepStarted, Some("s"), 1),
        run(RunCompleted),
    ]);
    assert_eq!(state.anomalies()[0].kind, AnomalyKind::OpenSteps(1));
    let before = state.clone();

    for event_type in [RunCancelRequested, RunFailed, RunPaused, RunQueued] {
        push(&mut state, &run(event_type));
    }
    push(&mut state, &event(StepCompleted, Some("s"), 1));

    assert_eq!(state.status(), before.status());
    assert_eq!(state.cancelling(), before.cancelling());
    assert_eq!(state.steps(), before.steps());
    assert_eq!(state.ended_at(), before.ended_at());
    assert_eq!(state.anomalies_total(), 1 + 5);
    assert_eq!(state.last_seq(), before.last_seq() + 5);
}

#[test]
fn checkpoints_are_ignored_unless_all_of_them_fits() {
    let state = state_in(RunStatus::Failed);
    let good = Checkpoint::of(&state);
    assert_eq!(good.restore(2), Some(state.clone()));
    assert_eq!(good.restore(9), Some(state));
    assert_eq!(good.restore(1), None, "beyond the head");
    let other = Checkpoint {
        fold_version: good.fold_version + 1,
        ..good.clone()
    };
    assert_eq!(other.restore(9), None, "of another version");
    let version = good.fold_version + 1;
    assert_eq!(
        Checkpoint::sealed(2, version, good.state.clone()).restore(9),
        None,
        "of another version"
    );
    let torn = Checkpoint {
        state: good.state.replace("Failed", "Running"),
        ..good.clone()
    };
    assert_eq!(torn.restore(9), None, "with a bad checksum");
    let moved = Checkpoint::sealed(1, good.fold_version, good.state.clone());
    assert_eq!(moved.restore(9), None, "of another event");
    assert_eq!(
        Checkpoint::sealed(2, good.fold_version, "{}".into()).restore(9),
        None,
        "no state"
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    let types: Vec<EventType> = EventType::KNOWN
        .into_iter()
        .chain(["Note".parse().unwrap()])
        .collect();
    (
        prop::sample::select(types),
        "[a-c]",
        1..4u32,
        0..1_000_000_000i64,
    )
        .prop_map(|(event_type, step, attempt, at)| {
            let step = event_type.needs_step().then(|| step.parse().unwrap());
            let at = Timestamp::from_micros(at).unwrap();
            Event::new(event_type, step, "k".parse().unwrap(), at)
                .unwrap()
                .with_logical_attempt(Attempt::new(attempt).unwrap())
        })
}

proptest! {
    #[test]
    fn status_is_a_function_of_status_and_type(events in prop::collection::vec(any_event(), 0..60)) {
        let types = events.iter().map(Event::event_type);
        let expected = types.fold(RunStatus::Pending, status_after);
        prop_assert_eq!(fold(&events).status(), expected);
    }

    #[test]
    fn anomalies_are_what_the_strict_face_refuses(events in prop::collection::vec(any_event(), 0..60)) {
        let mut state = RunState::new();
        let mut refused = 0;
        for event in &events {
            refused += u64::from(state.judge(event).is_err());
            push(&mut state, event);
        }
        let open = state.anomalies().iter().filter(|a| matches!(a.kind, AnomalyKind::OpenSteps(_))).count();
        prop_assert_eq!(state.anomalies_total() - open as u64, refused);
    }

    #[test]
    fn a_checkpoint_anywhere_changes_nothing(events in prop::collection::vec(any_event(), 0..60), at in any::<prop::sample::Index>()) {
        let (before, after) = events.split_at(at.index(events.len() + 1));
        let checkpoint = Checkpoint::of(&fold(before));
        let mut restored = checkpoint.restore(events.len() as u64).unwrap();
        after.iter().for_each(|event| push(&mut restored, event));
        prop_assert_eq!(&restored, &fold(&events));
        prop_assert_eq!(Checkpoint::of(&restored), Checkpoint::of(&fold(&events)));
    }

    #[test]
    fn any_checkpoint_gets_a_verdict(run_seq in any::<u64>(), text in ".{0,60}", head in any::<u64>()) {
        let restored = Checkpoint::sealed(run_seq, dvt_contracts::FOLD_VERSION, text).restore(head);
        prop_assert_eq!(restored, None);
    }
}
