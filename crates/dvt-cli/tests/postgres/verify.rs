//! `dvt verify` on a database that somebody else has been at.

use std::io::Write as _;
use std::process::Stdio;

use crate::database::{Database, Ran};

/// What is done to a sound store, the rule that it breaks, and what is said of it.
const CORRUPTIONS: [(&str, &str, &str); 14] = [
    (
        "DELETE FROM run_events WHERE run_id = 'a' AND run_seq = 2",
        "sequence",
        "event 3 found, expected 2",
    ),
    (
        "UPDATE run_events SET run_seq = 9 WHERE run_id = 'a' AND run_seq = 4",
        "sequence",
        "event 9 found, expected 4",
    ),
    (
        "UPDATE outbox SET last_seq = 5 WHERE run_id = 'a'",
        "head",
        "it is 5, the log ends at 4",
    ),
    (
        "UPDATE outbox SET last_seq = 3 WHERE run_id = 'a'",
        "head",
        "it is 3, the log ends at 4",
    ),
    // The database takes it, no reader does.
    (
        "UPDATE run_events SET payload = '\"\\ud800\"' WHERE run_id = 'a' AND run_seq = 3",
        "readable",
        "a stored value breaks its rule",
    ),
    (
        "UPDATE run_events SET event_type = '' WHERE run_id = 'a' AND run_seq = 3",
        "readable",
        "a stored value breaks its rule",
    ),
    (
        "UPDATE run_events SET persisted_at = '1970-01-02 00:00:00+00' WHERE run_id = 'a' AND run_seq = 3",
        "moment",
        "event 3 was persisted at 1970-01-02T00:00:00.000000Z",
    ),
    (
        "UPDATE outbox SET status = 'Failed' WHERE run_id = 'a'",
        "status",
        "it is Failed, the log says Completed",
    ),
    (
        "UPDATE outbox SET delivered_seq = 7, due_at = NULL WHERE run_id = 'a'",
        "cursor",
        "it is at 7, beyond the head 4",
    ),
    (
        "INSERT INTO run_checkpoints VALUES ('t', 'a', 2, 1, 'no checksum', '{}')",
        "checkpoint",
        "the one at 2",
    ),
    (
        "UPDATE outbox SET due_at = NULL WHERE run_id = 'a'",
        "outbox",
        "it is delivered up to 0 of 4 and is not listed as pending",
    ),
    (
        "UPDATE outbox SET parked_at = now(), due_at = NULL, dead_letters = 1 WHERE run_id = 'a'",
        "dead_letter",
        "parked by 1, which is not open",
    ),
    (
        "INSERT INTO outbox_dead_letters (tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at)
         VALUES ('t', 'a', 1, 1, 3, 'AttemptsExhausted', 'no luck', now())",
        "dead_letter",
        "1 is open, but the run is not parked",
    ),
    (
        "UPDATE outbox SET pruned_at = now() WHERE run_id = 'b'",
        "tombstone",
        "it is Running and delivered up to 0 of 1",
    ),
];

/// What keeps such things from happening.
const UNGUARDED: &str = "
    ALTER TABLE run_events DISABLE TRIGGER ALL;
    ALTER TABLE outbox DROP CONSTRAINT outbox_cursor, DROP CONSTRAINT outbox_due, DROP CONSTRAINT outbox_parked,
        DROP CONSTRAINT outbox_pruned;
";

fn recorded(database: &Database) {
    let line = |run: &str, event_type: &str, second: u32, more: &str| {
        format!(
            r#"{{"tenant_id":"t","project_id":"shop","environment_id":"dev","run_id":"{run}","plan_id":"plan","plan_version":"1","event_type":"{event_type}","emitted_at":"2026-01-02T03:04:{second:02}Z"{more}}}"#
        ) + "\n"
    };
    let lines = [
        line("a", "RunStarted", 1, ""),
        line("a", "StepStarted", 2, r#","step_id":"load""#),
        line(
            "a",
            "StepCompleted",
            3,
            r#","step_id":"load","payload":{"rows":7}"#,
        ),
        line("a", "RunCompleted", 4, ""),
        line("b", "RunStarted", 1, ""),
    ];
    let mut recording = database
        .command(&["record", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = recording.stdin.take().unwrap();
    stdin.write_all(lines.concat().as_bytes()).unwrap();
    drop(stdin);
    Ran::from(recording.wait_with_output().unwrap()).done();
}

pub(crate) fn each_corruption_is_found_and_named_and_the_other_run_is_not(database: &Database) {
    for (statement, rule, found) in CORRUPTIONS {
        let database = database.another();
        database.dvt(&["migrate"]).done();
        recorded(&database);
        let sound = database.dvt(&["verify"]).done();
        assert_eq!(sound.out, "2 runs with 5 events: sound\n");
        database.execute(UNGUARDED);
        database.execute(statement);

        let text = database.dvt(&["verify"]);
        let json = database.dvt(&["verify", "--json"]);

        assert_eq!((text.code, json.code), (9, 9), "{statement}: {text:?}");
        let run = if statement.contains("'b'") { "b" } else { "a" };
        let begin = format!("t/{run}\t{rule}\t");
        let told = text.out.lines().find(|row| row.starts_with(&begin));
        let told = told.unwrap_or_else(|| panic!("{statement}: {}", text.out));
        assert!(told.contains(found), "{statement}: {told}");
        let verdict = json.json();
        assert_eq!(verdict["sound"], false);
        let violations = verdict["violations"].as_array().unwrap();
        assert!(
            violations.iter().all(|one| one["run_id"] == run),
            "{verdict}"
        );
        assert!(
            violations.iter().any(|one| one["rule"] == rule),
            "{verdict}"
        );
    }
}
