//! Every error of the ports that says what is wrong: its class and its text. (The rest: `causes.rs`.)
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::error::Error;
use std::time::Duration;

use dvt_contracts::{
    AppendError, Attempt, ErrorClass, Event, EventType, IllegalTransition, InvalidCall, LeaseError,
    OutboxError, ResolutionKind, Rule, RunEvent, RunKey, RunStatus, StepStatus, StoreError,
    Timestamp,
};

fn run() -> RunKey {
    RunKey::new("acme".parse().unwrap(), "r-1".parse().unwrap())
}

fn attempt(number: u32) -> Attempt {
    Attempt::new(number).unwrap()
}

/// The text, after a look at what holds for every error: a copy says the same.
#[track_caller]
fn text<E: Error + Clone + Send + Sync + 'static>(error: &E) -> String {
    let text = error.to_string();
    let copy = error.clone();
    assert_eq!(copy.to_string(), text);
    assert_eq!(format!("{copy:?}"), format!("{error:?}"));
    assert!(!text.starts_with(char::is_uppercase) && !text.ends_with('.'));
    text
}

fn append_errors() -> Vec<(AppendError, ErrorClass, &'static str)> {
    let key = || "load/1".parse().unwrap();
    let event = Event::new(EventType::RunPaused, None, key(), Timestamp::MIN).unwrap();
    let stored = RunEvent {
        run_seq: 7,
        persisted_at: Timestamp::MIN,
        event,
    };
    let conflict = |stored| AppendError::IdempotencyConflict {
        run: run(),
        idempotency_key: key(),
        stored,
    };
    let taken = "key \"load/1\" of run acme/r-1 is taken by an event with other content: choose another key, or let the first write win";
    vec![
        (
            AppendError::RunNotFound { run: run() },
            ErrorClass::NotFound,
            "run acme/r-1 is not there: bootstrap it first",
        ),
        (
            AppendError::RunPruned {
                run: run(),
                pruned_at: Timestamp::MIN,
            },
            ErrorClass::Conflict,
            "run acme/r-1 was pruned at 1970-01-01T00:00:00.000000Z: it takes no more events",
        ),
        (
            AppendError::VersionConflict {
                run: run(),
                expected: 3,
                actual: 5,
            },
            ErrorClass::Conflict,
            "run acme/r-1 is at 5, expected 3: read on and decide again",
        ),
        (conflict(None), ErrorClass::Conflict, taken),
        (
            conflict(Some(Box::new(stored))),
            ErrorClass::Conflict,
            taken,
        ),
        (
            AppendError::SequenceOverflow {
                run: run(),
                head: 9_223_372_036_854_775_806,
                events: 2,
            },
            ErrorClass::Caller,
            "run acme/r-1 is at 9223372036854775806: 2 more events do not fit below 2^63, start another run",
        ),
        (
            AppendError::IllegalTransition {
                run: run(),
                illegal: Box::new(IllegalTransition {
                    from: RunStatus::Pending,
                    event: EventType::RunPaused,
                    step: None,
                    rule: Rule::Status {
                        legal_from: vec![RunStatus::Running],
                    },
                }),
            },
            ErrorClass::Caller,
            "run acme/r-1: RunPaused is illegal in a run that is Pending: it is legal from Running",
        ),
    ]
}

fn lease_errors() -> Vec<(LeaseError, ErrorClass, &'static str)> {
    vec![
        (
            LeaseError::StaleLease {
                run: run(),
                delivered_seq: 4,
            },
            ErrorClass::Conflict,
            "the lease on run acme/r-1 has ended, it is done with up to 4: go on if that covers you, else claim again",
        ),
        (
            LeaseError::SeqOutOfRange {
                run: run(),
                seq: 9,
                delivered_seq: 4,
                last_seq: 6,
            },
            ErrorClass::Caller,
            "event 9 of run acme/r-1 is not under the lease: name one after 4, up to 6",
        ),
        (
            LeaseError::RunNotFound { run: run() },
            ErrorClass::NotFound,
            "run acme/r-1 is not there: the lease belongs to another store",
        ),
    ]
}

fn invalid_calls() -> Vec<(InvalidCall, &'static str)> {
    let lease = |found| InvalidCall::LeaseOutOfRange { found };
    vec![
        (
            InvalidCall::EmptyRequest { index: 2 },
            "request 2 has no events: leave it out",
        ),
        (
            InvalidCall::TooManyEvents { found: 1_001 },
            "the call has 1001 events: at most 1000 are allowed, split it",
        ),
        (
            InvalidCall::TooManyBytes { found: 16_777_217 },
            "the call has 16777217 payload bytes: at most 16777216 are allowed, split it",
        ),
        (
            InvalidCall::TooManyLeases { found: 1_002 },
            "the call names 1002 leases: at most 1000 are allowed, split it",
        ),
        (
            lease(Duration::ZERO),
            "a lease of 0ns is out of range: from 1ms to 86400s is allowed",
        ),
        (
            lease(Duration::from_secs(86_401)),
            "a lease of 86401s is out of range: from 1ms to 86400s is allowed",
        ),
        (
            InvalidCall::CheckpointTooLarge { found: 16_777_218 },
            "the checkpoint has 16777218 bytes: at most 16777216 are allowed, leave it out",
        ),
        (
            InvalidCall::CheckpointWithNul { run_seq: 6 },
            "the checkpoint at 6 has a NUL: write it as JSON, which escapes it",
        ),
        (
            InvalidCall::CheckpointBeyondHead {
                run: run(),
                run_seq: 6,
                head: 5,
            },
            "a checkpoint at 6 lies beyond the head 5 of run acme/r-1: fold its own log",
        ),
    ]
}

fn store_errors() -> Vec<(StoreError, ErrorClass, &'static str)> {
    vec![
        (
            StoreError::RunNotFound { run: run() },
            ErrorClass::NotFound,
            "run acme/r-1 is not there: bootstrap it, or look for it under its own tenant",
        ),
        (
            StoreError::RunPruned {
                run: run(),
                pruned_at: Timestamp::MIN,
            },
            ErrorClass::Conflict,
            "run acme/r-1 was pruned at 1970-01-01T00:00:00.000000Z: only its metadata is left",
        ),
        (
            StoreError::RunAlreadyExists { run: run() },
            ErrorClass::Conflict,
            "run acme/r-1 exists already with other metadata or other first events: choose another run id",
        ),
        (
            StoreError::NotPrunable {
                run: run(),
                status: RunStatus::Paused,
                delivered_seq: 2,
                head: 5,
            },
            ErrorClass::Conflict,
            "run acme/r-1 is Paused and delivered up to 2 of 5: only an ended, fully delivered run can be pruned",
        ),
    ]
}

fn outbox_errors() -> Vec<(OutboxError, ErrorClass, &'static str)> {
    let resolved = |resolved| OutboxError::DeadLetterResolved {
        run: run(),
        dead_letter_no: 3,
        resolved,
    };
    vec![
        (
            OutboxError::RunNotFound { run: run() },
            ErrorClass::NotFound,
            "run acme/r-1 is not there: look for it under its own tenant",
        ),
        (
            OutboxError::NothingPending {
                run: run(),
                head: 5,
            },
            ErrorClass::Conflict,
            "run acme/r-1 is delivered up to its head 5: there is nothing to park",
        ),
        (
            OutboxError::DeadLetterNotFound {
                run: run(),
                dead_letter_no: 3,
            },
            ErrorClass::NotFound,
            "run acme/r-1 has no dead letter 3: list its dead letters",
        ),
        (
            resolved(ResolutionKind::Retried),
            ErrorClass::Conflict,
            "dead letter 3 of run acme/r-1 was retried before: that stands",
        ),
        (
            resolved(ResolutionKind::Skipped),
            ErrorClass::Conflict,
            "dead letter 3 of run acme/r-1 was skipped before: that stands",
        ),
        (
            OutboxError::DestinationMismatch {
                bound: "nats://a".parse().unwrap(),
                requested: "nats://b".parse().unwrap(),
            },
            ErrorClass::Conflict,
            "the outbox delivers to nats://a, not to nats://b: use that, or retarget the outbox",
        ),
        (
            OutboxError::NoDestination {
                requested: "nats://b".parse().unwrap(),
            },
            ErrorClass::Conflict,
            "the outbox has no destination yet: bind nats://b instead",
        ),
    ]
}

#[test]
fn every_error_has_its_class_and_its_text() {
    for (error, class, expected) in append_errors() {
        assert_eq!((error.class(), &*text(&error)), (class, expected));
        // The port tells it in the same class; only a missing or pruned run is told in its own words.
        let own = StoreError::from(error.clone());
        assert_eq!(own.class(), class, "{own}");
        let told = StoreError::Append(error);
        assert_eq!((told.class(), &*text(&told)), (class, expected));
    }
    for (error, class, expected) in lease_errors() {
        assert_eq!((error.class(), &*text(&error)), (class, expected));
        let told = OutboxError::from(error);
        assert_eq!((told.class(), &*text(&told)), (class, expected));
    }
    for (error, expected) in invalid_calls() {
        assert_eq!(text(&error), expected);
        let store = StoreError::from(error.clone());
        let outbox = OutboxError::from(error);
        assert_eq!(
            (store.class(), &*text(&store)),
            (ErrorClass::Caller, expected)
        );
        assert_eq!(
            (outbox.class(), &*text(&outbox)),
            (ErrorClass::Caller, expected)
        );
    }
    for (error, class, expected) in store_errors() {
        assert_eq!((error.class(), &*text(&error)), (class, expected));
        assert!(error.source().is_none());
    }
    for (error, class, expected) in outbox_errors() {
        assert_eq!((error.class(), &*text(&error)), (class, expected));
        assert!(error.source().is_none());
    }
}

#[test]
fn every_rule_has_its_text() {
    let (two, three) = (attempt(2), attempt(3));
    for (rule, expected) in [
        (
            Rule::Status {
                legal_from: vec![RunStatus::Running, RunStatus::Paused],
            },
            "it is legal from Running, Paused",
        ),
        (
            Rule::FirstEvent { last_seq: 4 },
            "it can only be the first event, and the log has 4",
        ),
        (
            Rule::HigherAttempt {
                last: three,
                found: two,
            },
            "expected a logical attempt above 3, found 2",
        ),
        (
            Rule::StepRunning { attempt: two },
            "the step is still running in attempt 2: end it first",
        ),
        (
            Rule::StepEnded {
                attempt: two,
                status: StepStatus::Failed,
            },
            "the step has ended in attempt 2 (Failed)",
        ),
        (
            Rule::StaleAttempt {
                last: three,
                found: two,
            },
            "the step is in attempt 3, the event belongs to attempt 2",
        ),
    ] {
        assert_eq!(rule.to_string(), expected);
    }
}

#[test]
fn a_missing_or_pruned_run_is_the_stores_own_error() {
    for (error, ..) in append_errors() {
        let told = StoreError::from(error.clone());
        match error {
            AppendError::RunNotFound { run: expected } => {
                assert!(matches!(&told, StoreError::RunNotFound { run } if *run == expected));
            }
            AppendError::RunPruned {
                run: of,
                pruned_at: when,
            } => {
                assert!(
                    matches!(&told, StoreError::RunPruned { run, pruned_at } if (run, pruned_at) == (&of, &when))
                );
            }
            other => assert!(matches!(&told, StoreError::Append(error) if *error == other)),
        }
    }
}
