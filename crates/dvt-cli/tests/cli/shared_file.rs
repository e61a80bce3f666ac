//! Several commands on one file at once.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{Ran, command_in, dvt_in, line};

const EVENTS: u64 = 1_500;

/// Events of a run of the recording's own, and in turn with them events of a run that it shares.
fn input(recording: &str) -> String {
    let mut lines = String::new();
    for number in 0..EVENTS {
        let key = format!(r#","idempotency_key":"{recording}-{number}""#);
        lines += &line(recording, "Noted", 1, &key);
        lines += &line("shared", "Noted", 1, &key);
    }
    lines
}

fn spawned(folder: &Path, args: &[&str]) -> Child {
    command_in(folder, args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn two_recordings_and_a_relay_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for recording in ["one", "two"] {
        std::fs::write(folder.join(recording), input(recording)).unwrap();
    }
    std::fs::write(folder.join("first"), line("first", "RunStarted", 0, "")).unwrap();
    // The relay wants a store that is there.
    assert_eq!(dvt_in(folder, &["record", "first"]).code, 0);
    let mut relay = spawned(
        folder,
        &["relay", "--to", "stdout:", "--poll-interval", "20ms"],
    );
    let delivered = BufReader::new(relay.stdout.take().unwrap());
    let recordings = ["one", "two"].map(|name| spawned(folder, &["record", name, "--json"]));

    for recording in recordings {
        let ran = Ran::from(recording.wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.json()["appended"], 2 * EVENTS, "{ran:?}");
    }
    let all = 4 * EVENTS + 1;
    let mut last: HashMap<String, u64> = HashMap::new();
    let mut lines = delivered.lines();
    for _ in 0..all {
        let line = lines.next().unwrap().unwrap();
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        let run = event["run_id"].as_str().unwrap().to_owned();
        let seq = last.entry(run).or_default();
        *seq += 1;
        assert_eq!(event["run_seq"], *seq, "in order, and once");
    }
    assert_eq!(last["shared"], 2 * EVENTS);

    let pid = relay.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    let ended = Ran::from(relay.wait_with_output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(lines.count(), 0, "nothing came twice");
    let verdict = dvt_in(folder, &["verify", "--json"]).json();
    assert_eq!(
        (&verdict["sound"], &verdict["events"]),
        (&true.into(), &all.into())
    );
    let left = dvt_in(folder, &["outbox", "status", "--json"]).json();
    assert_eq!(left["pending_events"], 0);
}

#[test]
fn nothing_is_left_beside_the_file_when_a_command_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("first"), line("first", "RunStarted", 0, "")).unwrap();

    for args in [
        &["record", "first"][..],
        &["runs"],
        &["show", "nobody"],
        &["drain"],
    ] {
        dvt_in(folder, args);
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["dvt.db", "first"], "{args:?}");
    }
}
