//! `dvt events --follow` and `dvt record --follow` while the server goes and comes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::database::{Database, Ran, bare};
use crate::kept::Kept;
use crate::own_server::OwnServer;

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

fn on(server: &OwnServer, args: &[&str]) -> Command {
    let mut command = bare(args);
    command.env("DATABASE_URL", server.url());
    command
}

/// Records the notes `from` to `to`.
fn record(server: &OwnServer, from: u64, to: u64) {
    let mut child = on(server, &["record", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(notes(from, to).as_bytes()).unwrap();
    drop(stdin);
    Ran::from(child.wait_with_output().unwrap()).done();
}

fn notes(from: u64, to: u64) -> String {
    let mut lines = String::new();
    for number in from..=to {
        lines += &format!(
            r#"{{"tenant_id":"default","project_id":"p","environment_id":"e","run_id":"long","plan_id":"plan","plan_version":"1","event_type":"Noted","emitted_at":"2026-01-02T03:04:05Z","idempotency_key":"{number}"}}"#
        );
        lines.push('\n');
    }
    lines
}

/// The lines of a child's standard output, as they come.
fn lines(child: &mut Child) -> Receiver<String> {
    let (give, take) = channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in out.lines() {
            if give.send(line.unwrap()).is_err() {
                break;
            }
        }
    });
    take
}

/// The next seqs that a follower prints.
fn seqs(lines: &Receiver<String>, count: usize) -> Vec<u64> {
    (0..count)
        .map(|_| {
            let line = lines.recv_timeout(PATIENCE).unwrap();
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            event["run_seq"].as_u64().unwrap()
        })
        .collect()
}

pub(crate) fn each_event_comes_once_also_across_a_crash_of_the_server(_: &Database) {
    let Some(server) = OwnServer::start() else {
        return;
    };
    Ran::from(on(&server, &["migrate"]).output().unwrap()).done();
    record(&server, 1, 1_100);
    let follower = on(&server, &["events", "long", "--follow", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut follower = Kept::new(follower);
    let printed = lines(follower.child());

    assert_eq!(seqs(&printed, 1_100), (1..=1_100).collect::<Vec<_>>());
    for round in 0..3 {
        let head = 1_100 + round * 20;
        record(&server, head + 1, head + 10);
        server.crash_and_restart();
        record(&server, head + 11, head + 20);
        let expected: Vec<_> = (head + 1..=head + 20).collect();
        assert_eq!(seqs(&printed, 20), expected, "round {round}");
    }
    follower.interrupt();

    let said = Ran::from(follower.output()).done().err;
    assert!(printed.recv().is_err(), "nothing more");
    // It may have looked at no time at which the server was away.
    for line in said.lines() {
        let is_trouble = line.ends_with("; trying again") || line == "the store answers again";
        assert!(is_trouble, "{said}");
    }
}

pub(crate) fn a_recording_that_follows_waits_for_a_server_that_crashed(_: &Database) {
    let Some(server) = OwnServer::start() else {
        return;
    };
    Ran::from(on(&server, &["migrate"]).output().unwrap()).done();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing");
    std::fs::write(&path, "").unwrap();
    let recording = on(&server, &["record", "--follow", "--json"])
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut recording = Kept::new(recording);
    append(&path, 1, 1);
    until(|| {
        let shown = on(&server, &["show", "long"]).output().unwrap();
        shown.status.success()
    });
    let follower = on(&server, &["events", "long", "--follow", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut follower = Kept::new(follower);
    let printed = lines(follower.child());
    assert_eq!(seqs(&printed, 1), [1]);

    for round in 0..3 {
        let (from, to) = (round * 1_000 + 2, round * 1_000 + 1_001);
        append(&path, from, to);
        server.crash_and_restart();
        assert!(
            seqs(&printed, 1_000) == (from..=to).collect::<Vec<_>>(),
            "round {round}"
        );
    }
    drop(follower);
    recording.interrupt();

    let ran = Ran::from(recording.output()).done();
    let summary = ran.json();
    // What was stored although its answer was lost comes back as a duplicate.
    let told = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(told("appended") + told("duplicates"), 3_001, "{summary}");
    assert_eq!(told("rejected"), 0, "{summary}");
}

/// Notes, as lines at the end of a file.
fn append(path: &std::path::Path, from: u64, to: u64) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(notes(from, to).as_bytes()).unwrap();
}

fn until(mut look: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !look() {
        assert!(begun.elapsed() < PATIENCE);
    }
}
