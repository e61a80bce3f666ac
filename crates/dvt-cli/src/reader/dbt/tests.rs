use dvt_contracts::{EventType, RunState};
use proptest::prelude::*;

use super::*;

fn reader() -> DbtReader {
    DbtReader::new(Ownership {
        tenant_id: "default".parse().unwrap(),
        environment_id: "default".parse().unwrap(),
    })
}

fn log(name: &str, second: u32, data: &str) -> String {
    format!(
        r#"{{"data": {data}, "info": {{"name": "{name}", "invocation_id": "inv-1", "ts": "2026-01-02T03:04:{second:02}.5Z", "msg": "words", "thread": "Thread-1 (worker)"}}}}"#
    )
}

fn version(second: u32) -> String {
    log(
        "MainReportVersion",
        second,
        r#"{"version": "=1.9.11", "log_version": 3}"#,
    )
}

fn start(second: u32, id: &str) -> String {
    node("NodeStart", second, id, second, "table", "")
}

fn finish(second: u32, id: &str, begun: u32, status: &str) -> String {
    let result = format!(
        r#", "run_result": {{"status": "{status}", "execution_time": 1.50, "message": "OK\u001b[0m", "thread": "T", "num_failures": 0, "timing_info": [], "adapter_response": {{"rows_affected": 2.0}}}}"#
    );
    node("NodeFinished", second, id, begun, "table", &result)
}

fn node(name: &str, second: u32, id: &str, begun: u32, materialized: &str, more: &str) -> String {
    let data = format!(
        r#"{{"node_info": {{"unique_id": "{id}", "materialized": "{materialized}", "node_started_at": "{begun}", "node_finished_at": "", "node_status": "started"}}{more}}}"#
    );
    log(name, second, &data)
}

fn completed(second: u32, success: bool) -> String {
    log(
        "CommandCompleted",
        second,
        &format!(r#"{{"success": {success}, "elapsed": 1.0}}"#),
    )
}

fn read(lines: &[String]) -> Vec<Item> {
    let mut reader = reader();
    let mut items = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        reader.line(at as u64 + 1, line, &mut items);
    }
    reader.finish(&mut items);
    items
}

/// What became of the lines, in short.
fn told(lines: &[String]) -> Vec<String> {
    read(lines)
        .into_iter()
        .map(|item| match item {
            Item::Record(record) => {
                let step = record.event.step_id().map_or("", |step| step.as_str());
                format!("{} {} {step}", record.line, record.event.event_type())
                    .trim_end()
                    .to_owned()
            }
            Item::Ignored(kind) => format!("- {kind}"),
            Item::Run(only) => format!("{} run", only.line),
            Item::Rejected { line, reason } => format!("{line} ! {reason}"),
        })
        .collect()
}

#[test]
fn a_run_is_told_from_its_log() {
    let lines = [
        version(1),
        log("FoundStats", 2, "{}"),
        start(3, "model.shop.a"),
        finish(4, "model.shop.a", 3, "success"),
        completed(5, true),
    ];
    assert_eq!(
        told(&lines),
        [
            "- FoundStats",
            "1 RunStarted",
            "3 StepStarted model.shop.a",
            "4 StepCompleted model.shop.a",
            "5 RunCompleted"
        ]
    );
    let records: Vec<_> = read(&lines)
        .into_iter()
        .filter_map(|item| match item {
            Item::Record(record) => Some(record),
            _ => None,
        })
        .collect();
    let first = &records[0];
    assert_eq!(first.run.to_string(), "default/inv-1");
    assert_eq!(first.metadata.project_id.as_str(), "shop");
    assert_eq!(first.metadata.plan_id.as_str(), "shop");
    assert_eq!(first.metadata.plan_version.as_str(), "1.9.11");
    assert_eq!(
        first.event.emitted_at().to_string(),
        "2026-01-02T03:04:01.500000Z"
    );
    assert!(
        records
            .iter()
            .all(|record| record.metadata == first.metadata)
    );
    assert_eq!(
        records[2].event.payload().as_str(),
        r#"{"status":"success","execution_time":1.50,"started_at":"3","message":"OK\u001b[0m","rows":2.0,"thread":"T"}"#
    );
    let mut state = RunState::new();
    for record in &records {
        state.judge(&record.event).unwrap();
        let run_seq = state.last_seq() + 1;
        let persisted_at = record.event.emitted_at();
        state.fold(&dvt_contracts::RunEvent {
            run_seq,
            persisted_at,
            event: record.event.clone(),
        });
    }
}

#[test]
fn statuses_become_events() {
    let cases = [
        ("success", EventType::StepCompleted),
        ("pass", EventType::StepCompleted),
        ("warn", EventType::StepCompleted),
        ("no-op", EventType::StepCompleted),
        ("reused", EventType::StepCompleted),
        ("of the future", EventType::StepCompleted),
        ("error", EventType::StepFailed),
        ("fail", EventType::StepFailed),
        ("partial success", EventType::StepFailed),
        ("runtime error", EventType::StepFailed),
        ("skipped", EventType::StepSkipped),
    ];
    for (status, expected) in cases {
        let lines = [
            start(1, "model.shop.a"),
            finish(2, "model.shop.a", 1, status),
        ];
        match read(&lines).pop() {
            Some(Item::Record(record)) => {
                assert_eq!(record.event.event_type(), &expected, "{status}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn without_nodes_the_project_is_unknown() {
    let told_parse = told(&[version(1), completed(2, false)]);
    assert_eq!(told_parse, ["1 RunStarted", "2 RunFailed"]);
    match &read(&[version(1)])[..] {
        [Item::Record(record)] => assert_eq!(record.metadata.project_id.as_str(), "unknown"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_without_its_beginning_starts_with_its_first_event() {
    let told = told(&[finish(4, "model.shop.a", 3, "success"), completed(5, true)]);
    assert_eq!(
        told,
        [
            "1 RunStarted",
            "1 StepCompleted model.shop.a",
            "2 RunCompleted"
        ]
    );
}

#[test]
fn success_is_told_by_words_if_need_be() {
    let words = |words: &str| {
        let line = log("CommandCompleted", 1, "{}").replace("words", words);
        told(&[line]).pop().unwrap()
    };
    assert_eq!(words("Command `dbt run` failed at 10:00"), "1 RunFailed");
    assert_eq!(
        words("Command `dbt run` succeeded at 10:00"),
        "1 RunCompleted"
    );
}

#[test]
fn batches_and_ephemeral_models_are_no_steps() {
    let lines = [
        version(1),
        node("NodeStart", 2, "model.shop.e", 2, "ephemeral", ""),
        start(3, "model.shop.m"),
        start(4, "model.shop.m"),
        finish(5, "model.shop.m", 4, "error"),
        finish(6, "model.shop.m", 3, "partial success"),
        finish(7, "model.shop.m", 3, "success"),
    ];
    assert_eq!(
        told(&lines),
        [
            "- NodeStart (ephemeral)",
            "1 RunStarted",
            "3 StepStarted model.shop.m",
            "- NodeStart (batch)",
            "- NodeFinished (batch)",
            "6 StepFailed model.shop.m",
            "- NodeFinished (again)",
        ]
    );
}

#[test]
fn hooks_are_steps_since_dbt_counts_them() {
    let hook = |name: &str, second| {
        node(
            name,
            second,
            "operation.shop.h",
            2,
            "view",
            r#", "status": "success""#,
        )
    };
    let modern = [
        version(1),
        hook("LogHookStartLine", 2),
        hook("LogHookEndLine", 3),
    ];
    assert_eq!(
        told(&modern),
        [
            "1 RunStarted",
            "2 StepStarted operation.shop.h",
            "3 StepCompleted operation.shop.h"
        ]
    );
    let old = modern.map(|line| line.replace("=1.9.11", "=1.8.10"));
    assert_eq!(
        told(&old),
        ["- LogHookStartLine", "- LogHookEndLine", "1 RunStarted"]
    );
}

#[test]
fn the_same_log_again_gives_the_same_events() {
    let once = vec![
        version(1),
        start(2, "model.shop.a"),
        finish(3, "model.shop.a", 2, "success"),
        completed(4, true),
    ];
    let twice = [once.clone(), once.clone()].concat();
    let events = |lines: &[String]| -> Vec<_> {
        read(lines)
            .into_iter()
            .map(|item| match item {
                Item::Record(record) => (record.event, record.metadata),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let (single, double) = (events(&once), events(&twice));
    assert_eq!(double[..single.len()], single);
    assert_eq!(double[single.len()..], single);
}

#[test]
fn lines_of_other_programs_are_rejected() {
    let told = told(&[
        "10:01:02 Running with dbt".into(),
        "{\"a\": 1}".into(),
        "{\"info\"".into(),
    ]);
    assert_eq!(
        told,
        [
            "1 ! expected a line of dbt's JSON log (--log-format json), found other text",
            "2 ! expected a line of dbt's JSON log, found no info.name",
            "3 ! EOF while parsing an object: the line is cut off",
        ]
    );
}

#[test]
fn a_log_at_level_info_gives_a_hint() {
    let mut reader = reader();
    let mut items = Vec::new();
    reader.line(1, &version(1), &mut items);
    assert_eq!(reader.hint(), None);
    reader.line(2, &log("LogModelResult", 2, "{}"), &mut items);
    assert!(reader.hint().unwrap().contains("--log-level debug"));
}

/// Any line that dbt might write, and worse.
fn any_line() -> impl Strategy<Value = String> {
    let id = prop_oneof![
        Just("model.shop.a"),
        Just("model.shop.b"),
        Just("odd|id"),
        Just("")
    ];
    let status = prop_oneof![Just("success"), Just("error"), Just("skipped"), Just("?")];
    prop_oneof![
        (0u32..60).prop_map(version),
        (0u32..60, id.clone()).prop_map(|(second, id)| start(second, id)),
        (0u32..60, id, 0u32..60, status)
            .prop_map(|(second, id, begun, status)| finish(second, id, begun, status)),
        (0u32..60, any::<bool>()).prop_map(|(second, success)| completed(second, success)),
        (0u32..60).prop_map(|second| log("Other", second, "null")),
        "\\PC*",
    ]
}

proptest! {
    #[test]
    fn every_line_is_accounted_for(lines in proptest::collection::vec(any_line(), 0..40)) {
        let items = read(&lines);
        // One item per line, and one more where a log begins without its start.
        prop_assert!(items.len() >= lines.len() && items.len() <= lines.len() + 1);
        let mut metadata = std::collections::HashSet::new();
        for item in items {
            if let Item::Record(record) = item {
                prop_assert!(record.line >= 1 && record.line <= lines.len() as u64);
                metadata.insert(format!("{:?}", record.metadata));
            }
        }
        prop_assert!(metadata.len() <= 1, "{metadata:?}");
    }

    #[test]
    fn a_changed_line_never_panics(at in 0usize..600, byte in any::<u8>()) {
        let mut bytes = finish(4, "model.shop.a", 3, "success").into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(!read(&[text]).is_empty());
        }
    }
}
