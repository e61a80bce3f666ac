use proptest::prelude::*;

use super::*;

const FIELDS: [(&str, &str); 16] = [
    ("tenant_id", r#""t""#),
    ("project_id", r#""p""#),
    ("environment_id", r#""dev""#),
    ("run_id", r#""run-1""#),
    ("plan_id", r#""plan""#),
    ("plan_version", r#""1""#),
    ("event_type", r#""StepFailed""#),
    ("emitted_at", r#""2026-01-02T03:04:05.000006Z""#),
    ("step_id", r#""lo\u0061d""#),
    ("logical_attempt", "2"),
    ("engine_attempt", "3"),
    ("occurrence", "1"),
    ("idempotency_key", r#""a|b""#),
    (
        "provider_ref",
        r#"{"provider": "temporal", "workflow_id": "wf", "run_id": null}"#,
    ),
    ("run_seq", "7"),
    ("payload", r#"{"n": 1e100000, "n": -0.0}"#),
];
const REQUIRED: usize = 8;

fn line(fields: &[(&str, &str)]) -> String {
    let members: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    format!("{{{}}}", members.join(", "))
}

fn required_and(more: &[(&str, &str)]) -> String {
    line(&[&FIELDS[..REQUIRED], &[("step_id", r#""load""#)], more].concat())
}

fn full() -> Vec<(&'static str, &'static str)> {
    FIELDS.to_vec()
}

fn read(text: &str) -> Result<Record, String> {
    let mut items = Vec::new();
    NdjsonReader::default().line(1, text, &mut items);
    assert_eq!(items.len(), 1, "a line is one event or one rejection");
    match items.remove(0) {
        Item::Record(record) => Ok(*record),
        Item::Rejected { line: 1, reason } => Err(reason),
        other => panic!("{other:?}"),
    }
}

fn rejected(more: &[(&str, &str)]) -> String {
    read(&required_and(more)).unwrap_err()
}

#[test]
fn every_field_is_read() {
    let record = read(&line(&full())).unwrap();
    assert_eq!(record.run.to_string(), "t/run-1");
    assert_eq!(record.metadata.plan_version.as_str(), "1");
    assert_eq!(record.event.step_id().unwrap().as_str(), "load");
    assert_eq!(record.event.logical_attempt().get(), 2);
    assert_eq!(record.event.engine_attempt().get(), 3);
    assert_eq!(record.event.idempotency_key().as_str(), "a|b");
    assert_eq!(
        record.event.emitted_at().to_string(),
        "2026-01-02T03:04:05.000006Z"
    );
    assert_eq!(
        record.event.payload().as_str(),
        r#"{"n": 1e100000, "n": -0.0}"#
    );
    assert_eq!(record.run_seq, Some(7));
    assert_eq!(record.provider_ref.unwrap().workflow_id(), "wf");
}

#[test]
fn what_is_not_given_has_its_default() {
    let record = read(&required_and(&[
        ("occurrence", "2"),
        ("payload_text", "null"),
    ]))
    .unwrap();
    assert_eq!(record.event.logical_attempt(), Attempt::FIRST);
    assert_eq!(record.event.payload(), &Payload::null());
    let key = KeyParts {
        run_id: &record.run.run_id,
        step_id: record.event.step_id(),
        logical_attempt: Attempt::FIRST,
        event_type: record.event.event_type(),
        plan_id: &record.metadata.plan_id,
        plan_version: &record.metadata.plan_version,
        occurrence: 2,
    };
    assert_eq!(record.event.idempotency_key(), &key.derive());
}

#[test]
fn payloads_are_kept_byte_for_byte() {
    for payload in [
        "null",
        "1E400",
        r#"{"a":1,"a":2,"b":[ ]}"#,
        "-0",
        r#""\ud83d\ude00/\/""#,
    ] {
        let raw = read(&required_and(&[("payload", payload)])).unwrap();
        assert_eq!(raw.event.payload().as_str(), payload);
        let text = serde_json::to_string(&format!("{payload}\n")).unwrap();
        let from_text = read(&required_and(&[("payload_text", &text)])).unwrap();
        assert_eq!(from_text.event.payload().as_str(), payload);
    }
    let spread = read(&required_and(&[("payload_text", r#""{\n\"a\":\r\n1}""#)])).unwrap();
    assert_eq!(spread.event.payload().as_str(), "{\n\"a\":\r\n1}");
}

#[test]
fn a_bad_line_says_what_is_wrong() {
    let without_run = line(&[&FIELDS[..3], &FIELDS[4..REQUIRED]].concat());
    assert!(
        read(&without_run)
            .unwrap_err()
            .contains("missing field `run_id`")
    );
    assert!(rejected(&[("stepid", "1")]).contains("unknown field `stepid`, expected one of"));
    assert!(rejected(&[("run_id", r#""x""#)]).contains("duplicate field `run_id`"));
    assert_eq!(
        rejected(&[("payload", "null"), ("payload_text", "\"1\"")]),
        "payload and payload_text are both given: keep one"
    );
    assert!(rejected(&[("payload_text", "\"{\"")]).contains("payload breaks at byte 1"));
    assert!(
        rejected(&[("logical_attempt", "0")])
            .contains("logical_attempt: attempt 0 is out of range")
    );
    assert!(rejected(&[("engine_attempt", "1.5")]).contains("expected u64"));
    assert!(rejected(&[("occurrence", "0")]).contains("occurrences count from 1"));
    assert!(rejected(&[("run_seq", "0")]).contains("run_seq 0 is out of range"));
    assert!(
        rejected(&[(
            "provider_ref",
            r#"{"provider":"p","workflow_id":"w","x":1}"#
        )])
        .contains("unknown field `x`")
    );
    assert!(
        rejected(&[("provider_ref", r#"["p",null,"w",null]"#)]).contains("expected a JSON object")
    );
    for not_an_object in ["[]", "1", "\"x\"", "null", "tenant_id=t"] {
        assert_eq!(read(not_an_object).unwrap_err(), "expected a JSON object");
    }
    assert_eq!(
        read(r#"{"tenant_id": "t", "#).unwrap_err(),
        "EOF while parsing a value: the line is cut off"
    );
}

#[test]
fn runs_share_their_names_until_they_change() {
    let mut reader = NdjsonReader::default();
    let mut items = Vec::new();
    let other = required_and(&[]).replace("run-1", "run-2");
    for text in [required_and(&[]), other, required_and(&[])] {
        reader.line(1, &text, &mut items);
    }
    let runs: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Record(record) => record.run.run_id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(runs, ["run-1", "run-2", "run-1"]);
}

/// The record as a line again.
fn written(record: &Record) -> String {
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let event = &record.event;
    let mut members = vec![
        format!("\"tenant_id\":{}", json(record.run.tenant_id.as_str())),
        format!("\"run_id\":{}", json(record.run.run_id.as_str())),
        format!(
            "\"project_id\":{}",
            json(record.metadata.project_id.as_str())
        ),
        format!(
            "\"environment_id\":{}",
            json(record.metadata.environment_id.as_str())
        ),
        format!("\"plan_id\":{}", json(record.metadata.plan_id.as_str())),
        format!(
            "\"plan_version\":{}",
            json(record.metadata.plan_version.as_str())
        ),
        format!("\"event_type\":{}", json(event.event_type().as_str())),
        format!("\"emitted_at\":{}", json(&event.emitted_at().to_string())),
        format!("\"logical_attempt\":{}", event.logical_attempt()),
        format!("\"engine_attempt\":{}", event.engine_attempt()),
        format!(
            "\"idempotency_key\":{}",
            json(event.idempotency_key().as_str())
        ),
        format!("\"payload_text\":{}", json(event.payload().as_str())),
    ];
    members.extend(
        event
            .step_id()
            .map(|step| format!("\"step_id\":{}", json(step.as_str()))),
    );
    members.extend(record.run_seq.map(|seq| format!("\"run_seq\":{seq}")));
    members.extend(record.provider_ref.as_ref().map(|provider| {
        let optional = |text: Option<&str>| text.map_or("null".into(), json);
        format!(
            "\"provider_ref\":{{\"provider\":{},\"namespace\":{},\"workflow_id\":{},\"run_id\":{}}}",
            json(provider.provider()),
            optional(provider.namespace()),
            json(provider.workflow_id()),
            optional(provider.run_id()),
        )
    }));
    format!("{{{}}}", members.join(","))
}

proptest! {
    #[test]
    fn any_text_is_one_event_or_one_rejection(text in "\\PC*") {
        let _ = read(&text);
    }

    #[test]
    fn order_and_white_space_do_not_matter(
        fields in Just(full()).prop_shuffle(),
        space in "[ \t]{0,3}",
    ) {
        let members: Vec<_> =
            fields.iter().map(|(name, value)| format!("\"{name}\"{space}:{space}{value}")).collect();
        let text = format!("{space}{{{}}}{space}", members.join(&format!("{space},{space}")));
        prop_assert_eq!(read(&text), read(&line(&full())));
    }

    #[test]
    fn a_line_that_is_cut_is_reported(cut in 1usize..400) {
        let text = line(&full());
        let cut = cut.min(text.len() - 1);
        prop_assert!(read(&text[..text.len() - cut]).is_err());
    }

    #[test]
    fn a_misspelt_or_repeated_field_is_reported(at in 0usize..16, letter in "[a-z_]") {
        let mut misspelt = full();
        let name = format!("{}{letter}", misspelt[at].0);
        misspelt[at].0 = &name;
        prop_assert!(read(&line(&misspelt)).is_err());
        let mut repeated = full();
        repeated.push(repeated[at]);
        prop_assert!(read(&line(&repeated)).is_err());
    }

    #[test]
    fn whatever_a_changed_line_is_read_as_is_what_it_says(at in 0usize..500, byte in any::<u8>()) {
        let mut bytes = line(&full()).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        // Lines that are no UTF-8 do not reach the parser.
        if let Ok(text) = std::str::from_utf8(&bytes) && let Ok(record) = read(text) {
            prop_assert_eq!(read(&written(&record)), Ok(record));
        }
    }
}
