//! Broken bytes for every format: an answer each time, and no more of it than the input is long.

use dvt_fuzz::fuzz;

use super::lines::Lines;
use super::{DbtReader, Item, NdjsonReader, Ownership, Reader, TemporalReader};

const DBT: &str = include_str!("../../samples/dbt-retry/retry.jsonl");
const TEMPORAL: [&str; 2] = [
    include_str!("../../samples/temporal/waiting-1.json"),
    include_str!("../../samples/temporal/parent-1.json"),
];
const NDJSON: [&str; 2] = [
    concat!(
        r#"{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"r","plan_id":"n","plan_version":"1","#,
        r#""event_type":"StepStarted","emitted_at":"2026-01-02T03:04:05Z","step_id":"s","logical_attempt":2,"#,
        r#""payload":{"rows":[1e400,-0]},"provider_ref":{"provider":"a","workflow_id":"w"}}"#,
        "\n",
        r#"{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"r","plan_id":"n","plan_version":"1"}"#,
    ),
    concat!(
        r#"{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"r","plan_id":"n","plan_version":"1","#,
        r#""event_type":"RunStarted","emitted_at":"2026-01-02T03:04:05Z","idempotency_key":"k|1","#,
        r#""payload_text":"[\"\\u0041\"]"}"#,
        "\r\n\n",
    ),
];

fn owner() -> Ownership {
    Ownership {
        tenant_id: "t".parse().unwrap(),
        environment_id: "e".parse().unwrap(),
    }
}

/// Reads the bytes as `dvt record` does, and looks at what comes out.
fn read(mut reader: impl Reader, bytes: &[u8]) {
    let (mut items, mut count) = (Vec::new(), 0);
    let mut lines = Lines::new(bytes, reader.line_limit());
    while let Some(line) = lines.next_line().unwrap() {
        count = line.number;
        match line.text {
            Ok(text) if !text.trim().is_empty() => reader.line(count, text, &mut items),
            _ => {}
        }
    }
    reader.finish(&mut items);
    for item in &items {
        let line = match item {
            Item::Record(record) => record.line,
            Item::Run(run) => run.line,
            Item::Rejected { line, reason } => {
                assert!(reason.len() < 4_096, "a reason of {} bytes", reason.len());
                *line
            }
            Item::Ignored(_) => continue,
        };
        assert!((1..=count).contains(&line), "line {line} of {count}");
    }
    assert!(items.len() <= bytes.len(), "{} items", items.len());
}

#[test]
fn broken_event_lines_are_answered() {
    fuzz("NDJSON", &NDJSON, |bytes| {
        read(NdjsonReader::default(), bytes)
    });
}

#[test]
fn broken_dbt_logs_are_answered() {
    // A log from its beginning to its end, some lines at a time.
    let lines: Vec<&str> = DBT.lines().collect();
    let parts: Vec<String> = lines.chunks(8).map(|lines| lines.join("\n")).collect();
    fuzz("dbt", &parts, |bytes| read(DbtReader::new(owner()), bytes));
}

#[test]
fn broken_histories_are_answered() {
    fuzz("Temporal", &TEMPORAL, |bytes| {
        read(TemporalReader::new(owner()), bytes)
    });
}
