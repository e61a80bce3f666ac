//! `dvt record --drain`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::common::{command, dvt_with, line};

#[test]
fn delivered_events_are_lines_in_order_and_nothing_else() {
    let input = [
        line(
            "run-1",
            "RunStarted",
            0,
            r#","payload":{"n":1e100000,"n":-0.0}"#,
        ),
        line("run-2", "RunStarted", 0, ""),
        "oops\n".to_owned(),
        line(
            "run-1",
            "StepStarted",
            1,
            r#","step_id":"load","engine_attempt":4"#,
        ),
        line("run-1", "RunFailed", 2, r#","payload_text":"{\n}""#),
    ];
    let ran = dvt_with(
        &["record", "-", "--drain", "--show", "--json"],
        input.concat().as_bytes(),
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.out);
    assert!(
        lines[0].contains(r#""payload":{"n":1e100000,"n":-0.0}}"#),
        "{}",
        lines[0]
    );
    let events: Vec<serde_json::Value> = lines[1..]
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["step_id"], "load");
    assert_eq!(events[0]["engine_attempt"], 4);
    assert_eq!(events[0]["run_seq"], 2);
    assert_eq!(events[1]["payload_text"], "{\n}");
    assert_eq!(events[2]["run_id"], "run-2");
    assert_eq!(events[2]["payload"], serde_json::Value::Null);
    let names: Vec<_> = events[2]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = [
        "event_id",
        "tenant_id",
        "run_id",
        "run_seq",
        "event_type",
        "step_id",
        "logical_attempt",
        "engine_attempt",
        "idempotency_key",
        "emitted_at",
        "persisted_at",
        "claim_no",
        "payload",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert!(
        ran.err.contains("line 3:") && ran.err.contains("\"appended\":4"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("run run-1"), "{}", ran.err);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = command(&["record", "-", "--drain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // Far more than a pipe holds.
        for number in 0..20_000 {
            let more = format!(r#","idempotency_key":"{number}""#);
            let _ = stdin.write_all(line("run-1", "Custom", 0, &more).as_bytes());
        }
    });
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert!(first.contains("\"run_seq\":1"));
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("20,000 appended") && !err.contains("error") && !err.contains("panic"),
        "{err}"
    );
}
