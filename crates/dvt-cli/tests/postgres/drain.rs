//! `dvt drain`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::database::{Database, Ran};
use crate::same_as_memory::{EVENTS, record};

pub(crate) fn a_second_drain_delivers_nothing(database: &Database) {
    record(database, &[]);
    let first = database.dvt(&["drain"]).done();
    assert_eq!(first.out.lines().count() as u64, EVENTS);
    assert_eq!(first.err, format!("{EVENTS} events delivered\n"));

    let second = database.dvt(&["drain"]).done();
    assert_eq!(
        (second.out.as_str(), second.err.as_str()),
        ("", "nothing is due\n")
    );
    let run = database.dvt(&["runs", "--json"]).done().json();
    assert_eq!(run["delivered_seq"], run["head"]);
}

pub(crate) fn a_closed_pipe_acknowledges_nothing(database: &Database) {
    // Far more than a pipe holds, and no more than one claim takes.
    let count = 1_000;
    record_events(database, count);
    let mut child = database
        .command(&["drain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert!(first.contains("\"run_seq\":1,"), "{first}");
    drop(stdout);
    let ended: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ended.code, ended.err.as_str()), (5, ""));

    let run = database.dvt(&["runs", "--json"]).done().json();
    assert_eq!(run["delivered_seq"], 0);
    let again = database.dvt(&["drain"]).done();
    let seqs: Vec<_> = again
        .json_lines()
        .iter()
        .map(|event| event["run_seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=count).collect::<Vec<_>>());
}

fn record_events(database: &Database, count: u64) {
    let mut child = database
        .command(&["record", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for number in 1..=count {
        writeln!(
            stdin,
            r#"{{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"r","plan_id":"plan","plan_version":"1","event_type":"Custom","emitted_at":"2026-01-02T03:04:05Z","idempotency_key":"{number}"}}"#
        )
        .unwrap();
    }
    drop(stdin);
    Ran::from(child.wait_with_output().unwrap()).done();
}
