//! `dvt export | dvt record -` from a file to a server and back.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::database::{Database, Ran, bare};

/// What JSON allows and most readers would change, as a line carries it.
const PAYLOADS: [&str; 5] = [
    r#""payload":{"n":1e100000,"m":-0,"o":1E2,"p":0.10}"#,
    r#""payload":{"a":1,"a":2}"#,
    r#""payload_text":"{\n  \"a\": [1,\r\n 2]\n}""#,
    r#""payload":"\u0041\/ \ud83d\ude00""#,
    r#""payload":null"#,
];

fn fed(mut command: Command, input: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

fn on_file(file: &Path, args: &[&str]) -> Command {
    let mut command = bare(args);
    command.env("DVT_STORE", format!("sqlite:{}", file.display()));
    command
}

pub(crate) fn an_export_is_the_same_bytes_wherever_it_was_recorded(database: &Database) {
    let folder = tempfile::tempdir().unwrap();
    let (first, last) = (
        folder.path().join("first.db"),
        folder.path().join("last.db"),
    );
    let mut lines = String::new();
    for (number, payload) in PAYLOADS.iter().enumerate() {
        for tenant in ["b", "a"] {
            lines += &format!(
                r#"{{"tenant_id":"{tenant}","project_id":"p","environment_id":"e","run_id":"run-1","plan_id":"plan","plan_version":"1","event_type":"Noted","emitted_at":"2026-01-02T03:04:05.000006Z","idempotency_key":"k|{number}","provider_ref":{{"provider":"dagster","workflow_id":"w"}},{payload}}}"#
            );
            lines.push('\n');
        }
    }
    lines += r#"{"tenant_id":"b","project_id":"p","environment_id":"e","run_id":"empty","plan_id":"plan","plan_version":"1"}"#;

    fed(on_file(&first, &["record", "-"]), &lines).done();
    let from_file = Ran::from(on_file(&first, &["export"]).output().unwrap()).done();
    fed(database.command(&["record", "-"]), &from_file.out).done();
    let from_server = database.dvt(&["export"]).done();
    fed(on_file(&last, &["record", "-"]), &from_server.out).done();
    let from_last = Ran::from(on_file(&last, &["export"]).output().unwrap()).done();

    assert_eq!(from_file.out.lines().count(), 2 * PAYLOADS.len() + 1);
    for payload in PAYLOADS {
        assert!(from_file.out.contains(payload), "{payload}");
    }
    assert_eq!(from_server.out, from_file.out);
    assert_eq!(from_last.out, from_file.out);
}
