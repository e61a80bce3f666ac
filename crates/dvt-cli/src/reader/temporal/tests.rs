use dvt_contracts::{EventType, RunEvent, RunState, RunStatus, StepStatus};
use proptest::prelude::*;

use super::*;
use crate::reader::Record;

const NIGHTLY: &str = include_str!("../../../samples/temporal/nightly-1.json");
const CHECKED: &str = include_str!("../../../samples/temporal/checked-1.json");
const WAITING: &str = include_str!("../../../samples/temporal/waiting-1.json");
const FIRST_PARENT: &str = include_str!("../../../samples/temporal/parent-0.json");
const SECOND_PARENT: &str = include_str!("../../../samples/temporal/parent-1.json");

fn read(text: &str) -> Vec<Item> {
    let mut reader = TemporalReader::new(Ownership {
        tenant_id: "t".parse().unwrap(),
        environment_id: "e".parse().unwrap(),
    });
    let mut items = Vec::new();
    for (at, line) in text.lines().enumerate() {
        reader.line(at as u64 + 1, line, &mut items);
    }
    reader.finish(&mut items);
    items
}

fn records(text: &str) -> Vec<Record> {
    let items = read(text).into_iter();
    items
        .filter_map(|item| match item {
            Item::Record(record) => Some(*record),
            Item::Ignored(_) => None,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The state after all events, none of which is out of order.
fn state(records: &[Record]) -> RunState {
    let mut state = RunState::new();
    for (at, record) in records.iter().enumerate() {
        let judged = state.judge(&record.event);
        assert_eq!(judged, Ok(()), "{record:?}");
        state.fold(&RunEvent {
            run_seq: at as u64 + 1,
            persisted_at: record.event.emitted_at(),
            event: record.event.clone(),
        });
    }
    assert_eq!(state.anomalies_total(), 0);
    state
}

/// Each event by its type, attempt and step.
fn told(records: &[Record]) -> Vec<String> {
    let told = |record: &Record| {
        let event = &record.event;
        let step = event.step_id().map_or("", |step| step.as_str());
        format!("{} {} {step}", event.event_type(), event.logical_attempt())
            .trim_end()
            .to_owned()
    };
    records.iter().map(told).collect()
}

#[test]
fn a_workflow_is_a_run_and_its_activities_are_steps() {
    let records = records(NIGHTLY);
    let first = &records[0];
    assert_eq!(
        first.run.to_string(),
        "t/01a2085b-8c27-7d59-b80d-54b46ca671ac"
    );
    assert_eq!(first.metadata.project_id.as_str(), "pipeline");
    assert_eq!(first.metadata.plan_id.as_str(), "nightly");
    assert_eq!(first.metadata.plan_version.as_str(), "unknown");
    let provider = first.provider_ref.as_ref().unwrap();
    assert_eq!(
        (
            provider.provider(),
            provider.workflow_id(),
            provider.run_id()
        ),
        ("temporal", "nightly-1", Some(first.run.run_id.as_str()))
    );
    assert_eq!(
        told(&records),
        [
            "RunStarted 1",
            "ActivityTaskScheduled 1 extract#5",
            "ActivityTaskScheduled 1 extract#6",
            "StepStarted 1 extract#5",
            "StepCompleted 1 extract#5",
            "StepStarted 1 extract#6",
            "StepCompleted 1 extract#6",
            "ActivityTaskScheduled 1 load#14",
            "WorkflowExecutionSignaled 1",
            "StepFailed 2 load#14",
            "StepStarted 3 load#14",
            "StepCompleted 3 load#14",
            "TimerStarted 1",
            "TimerFired 1",
            "ActivityTaskScheduled 1 report#29",
            "StepStarted 1 report#29",
            "StepCompleted 1 report#29",
            "RunCompleted 1",
        ]
    );
    let failed = &records[9].event;
    assert_eq!(
        failed.payload().as_str(),
        r#"{"failure":{"message":"the warehouse is busy","type":"Busy"}}"#
    );
    for record in records
        .iter()
        .filter(|record| record.event.step_id().is_some())
    {
        let event = &record.event;
        assert_eq!(event.engine_attempt(), event.logical_attempt(), "{event:?}");
    }
    let signal = records[8].event.payload().as_str();
    assert!(signal.contains(r#""signalName":"approve""#), "{signal}");
    assert_eq!(
        records[1].event.emitted_at().to_string(),
        "2026-11-23T12:22:27.171317Z"
    );
    let state = state(&records);
    assert_eq!(state.status(), RunStatus::Completed);
    assert_eq!(state.steps().len(), 4);
}

#[test]
fn what_a_workflow_is_given_and_gives_is_not_kept() {
    for history in [NIGHTLY, CHECKED, FIRST_PARENT] {
        for record in records(history) {
            let payload = record.event.payload().as_str();
            assert!(
                !payload.contains("payloads") && !payload.contains("anNvbi9wbGFpbg"),
                "{payload}"
            );
        }
    }
}

#[test]
fn every_end_of_a_workflow_is_an_end_of_its_run() {
    let end = |history: &str| {
        let records = records(history);
        let last = records.last().unwrap().event.clone();
        (state(&records), last)
    };
    let (failed, last) = end(CHECKED);
    assert_eq!(failed.status(), RunStatus::Failed);
    let steps: Vec<_> = failed.steps().values().map(|step| step.status).collect();
    assert_eq!(steps, [StepStatus::Failed, StepStatus::Completed]);
    let payload = last.payload().as_str();
    assert!(
        payload.contains(
            r#""failure":{"message":"Activity task failed","cause":{"message":"6000 rows, expected none","type":"CheckFailed","nonRetryable":true}}"#
        ),
        "{payload}"
    );
    assert_eq!(end(WAITING).0.status(), RunStatus::Cancelled);
    let (continued, last) = end(FIRST_PARENT);
    assert_eq!(continued.status(), RunStatus::Completed);
    let next = records(SECOND_PARENT)[0].run.run_id.to_string();
    assert!(last.payload().as_str().contains(&next), "{last:?}");
    assert_eq!(end(SECOND_PARENT).0.status(), RunStatus::Completed);

    for (kind, status) in [
        ("WORKFLOW_EXECUTION_TIMED_OUT", RunStatus::Failed),
        ("WORKFLOW_EXECUTION_TERMINATED", RunStatus::Cancelled),
        ("WORKFLOW_EXECUTION_PAUSED", RunStatus::Paused),
        ("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", RunStatus::Running),
    ] {
        let history = WAITING.replace("WORKFLOW_EXECUTION_CANCELED", kind);
        assert_eq!(end(&history).0.status(), status, "{kind}");
    }
}

#[test]
fn a_longer_history_says_the_same_and_more() {
    let whole: serde_json::Value = serde_json::from_str(NIGHTLY).unwrap();
    let expected = records(NIGHTLY);
    let count = whole["events"].as_array().unwrap().len();
    for length in 1..=count {
        let mut part = whole.clone();
        part["events"].as_array_mut().unwrap().truncate(length);
        let part = records(&part.to_string());
        let told: Vec<_> = part.iter().map(|record| &record.event).collect();
        let all: Vec<_> = expected.iter().map(|record| &record.event).collect();
        assert_eq!(told, all[..told.len()], "{length}");
    }
}

#[test]
fn a_reset_workflow_is_a_run_of_its_own() {
    let mut reset: serde_json::Value = serde_json::from_str(NIGHTLY).unwrap();
    let events = reset["events"].as_array_mut().unwrap();
    events.truncate(12);
    events.push(serde_json::json!({
        "eventId": "13",
        "eventTime": "2026-11-23T12:23:48.641268914Z",
        "eventType": "EVENT_TYPE_WORKFLOW_TASK_FAILED",
        "workflowTaskFailedEventAttributes": {
            "cause": "WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW",
            "failure": {"message": "root: try"},
            "baseRunId": "01a2085b-8c27-7d59-b80d-54b46ca671ac",
            "newRunId": "3836ef5e-cb97-49c4-8ebc-e7e861ae11f6"
        }
    }));

    let records = records(&reset.to_string());

    assert!(
        records
            .iter()
            .all(|record| record.run.run_id.as_str() == "3836ef5e-cb97-49c4-8ebc-e7e861ae11f6")
    );
    assert_eq!(told(&records).last().unwrap(), "WorkflowTaskFailed 1");
}

#[test]
fn histories_follow_each_other() {
    let both = records(&[NIGHTLY, CHECKED].concat());
    assert_eq!(both.len(), records(NIGHTLY).len() + records(CHECKED).len());
}

#[test]
fn what_is_no_history_is_told_with_its_line() {
    let rejected = |text: &str| -> Vec<(u64, String)> {
        let items = read(text).into_iter();
        items
            .filter_map(|item| match item {
                Item::Rejected { line, reason } => Some((line, reason)),
                _ => None,
            })
            .collect()
    };
    let cases = [
        (
            "Error: workflow not found",
            "expected a workflow history as",
        ),
        ("{}", "found an object without events"),
        (r#"{"events": []}"#, "the history has no events"),
        (r#"{"events": [{}]}"#, "found an event without eventId"),
        (
            r#"{"events": [{"eventId": "1", "eventTime": "soon"}]}"#,
            "event 1: eventTime: ",
        ),
        (
            r#"{"events": [{"eventId": "5", "eventTime": "2026-01-02T03:04:05Z", "eventType": "EVENT_TYPE_TIMER_FIRED"}]}"#,
            "from its beginning, found TimerFired",
        ),
        ("{\"events\": [", "has no end"),
    ];
    for (text, expected) in cases {
        let found = rejected(&format!("\n{text}"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].0, 2);
        assert!(found[0].1.contains(expected), "{text}: {found:?}");
    }
    // What came before is taken.
    let cut = &NIGHTLY[..NIGHTLY.len() / 2];
    assert_eq!(
        records_and_rejected(&[CHECKED, cut].concat()),
        (records(CHECKED).len(), 1)
    );
    // And what comes after, if the cut is between two lines.
    let lines = NIGHTLY.split_inclusive('\n');
    for count in [1, 2, 100, 678] {
        let cut: String = lines.clone().take(count).collect();
        let (taken, refused) = records_and_rejected(&[cut.as_str(), CHECKED].concat());
        assert_eq!((taken, refused), (records(CHECKED).len(), 1), "{count}");
    }
    // So is what comes beside.
    let foreign = CHECKED.replace(r#""scheduledEventId": "5""#, r#""scheduledEventId": "4""#);
    let (taken, refused) = records_and_rejected(&foreign);
    assert_eq!((taken, refused), (records(CHECKED).len() - 2, 2));
}

fn records_and_rejected(text: &str) -> (usize, usize) {
    let items = read(text);
    let count = |is: fn(&Item) -> bool| items.iter().filter(|item| is(item)).count();
    (
        count(|item| matches!(item, Item::Record(_))),
        count(|item| matches!(item, Item::Rejected { .. })),
    )
}

#[test]
fn an_input_without_a_history_says_how_to_get_one() {
    let mut reader = TemporalReader::new(Ownership {
        tenant_id: "t".parse().unwrap(),
        environment_id: "e".parse().unwrap(),
    });
    assert!(reader.hint().unwrap().contains("temporal workflow show"));
    for line in CHECKED.lines() {
        reader.line(1, line, &mut Vec::new());
    }
    assert_eq!(reader.hint(), None);
}

#[test]
fn older_versions_write_types_in_words() {
    let older = CHECKED
        .replace(
            "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
            "WorkflowExecutionStarted",
        )
        .replace("EVENT_TYPE_ACTIVITY_TASK_FAILED", "ActivityTaskFailed");
    assert_eq!(told(&records(&older)), told(&records(CHECKED)));
    assert!(
        records(&older)
            .iter()
            .any(|record| *record.event.event_type() == EventType::StepFailed)
    );
}

proptest! {
    /// Bytes that were changed, removed or doubled anywhere are told or taken, and nothing worse.
    #[test]
    fn a_damaged_history_is_no_end(at in 0..CHECKED.len(), length in 0usize..40, again in any::<bool>()) {
        let bytes = CHECKED.as_bytes();
        let end = (at + length).min(bytes.len());
        let middle = if again { &bytes[at..end] } else { &[] };
        let damaged = [&bytes[..end], middle, &bytes[end..]].concat();
        let cut = [&bytes[..at], &bytes[end..]].concat();
        for damaged in [damaged, cut] {
            read(&String::from_utf8_lossy(&damaged));
        }
    }
}
