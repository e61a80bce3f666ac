//! `dvt verify` on files that somebody else has been at.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use crate::common::{dvt_in, line};

/// What is done to a sound file, the rule that it breaks, and what is said of it.
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
    (
        "UPDATE run_events SET payload = '{\"a\":' WHERE run_id = 'a' AND run_seq = 3",
        "readable",
        "event 3",
    ),
    (
        "UPDATE run_events SET event_type = '' WHERE run_id = 'a' AND run_seq = 3",
        "readable",
        "event 3",
    ),
    (
        "UPDATE run_events SET persisted_at = 1 WHERE run_id = 'a' AND run_seq = 3",
        "moment",
        "event 3 was persisted at 1970-01-01T00:00:00.000001Z",
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
        "never due",
    ),
    (
        "UPDATE outbox SET parked_at = 1, due_at = NULL, dead_letters = 1 WHERE run_id = 'a'",
        "dead_letter",
        "parked by 1, which is not open",
    ),
    (
        "INSERT INTO outbox_dead_letters (tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at)
         VALUES ('t', 'a', 1, 1, 3, 'AttemptsExhausted', 'no luck', 1)",
        "dead_letter",
        "1 is open, but the run is not parked",
    ),
    (
        "UPDATE outbox SET pruned_at = 1 WHERE run_id = 'b'",
        "tombstone",
        "it is Running and delivered up to 0 of 1",
    ),
];

fn recorded(folder: &Path) {
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
    std::fs::write(folder.join("events"), lines.concat()).unwrap();
    assert_eq!(dvt_in(folder, &["record", "events"]).code, 0);
}

/// What a bug or a person with a database client does: nothing stops either.
fn corrupt(file: &Path, statement: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .foreign_keys(false)
            .pragma("ignore_check_constraints", "ON");
        let mut connection = options.connect().await.unwrap();
        let guards = "DROP TRIGGER run_events_append_only; DROP TRIGGER run_events_delete_pruned";
        connection.execute(guards).await.unwrap();
        let done = connection
            .execute(AssertSqlSafe(statement.to_owned()))
            .await;
        assert_eq!(done.unwrap().rows_affected(), 1, "{statement}");
        connection.close().await.unwrap();
    });
}

#[test]
fn each_corruption_is_found_and_named_and_the_other_run_is_not() {
    for (statement, rule, found) in CORRUPTIONS {
        let folder = tempfile::tempdir().unwrap();
        recorded(folder.path());
        let sound = dvt_in(folder.path(), &["verify"]);
        assert_eq!(
            (sound.code, &*sound.out),
            (0, "2 runs with 5 events: sound\n")
        );
        corrupt(&folder.path().join("dvt.db"), statement);

        let text = dvt_in(folder.path(), &["verify"]);
        let json = dvt_in(folder.path(), &["verify", "--json"]);

        assert_eq!((text.code, json.code), (9, 9), "{statement}: {text:?}");
        let run = if statement.contains("'b'") { "b" } else { "a" };
        let begin = format!("t/{run}\t{rule}\t");
        let told = text.out.lines().find(|row| row.starts_with(&begin));
        let told = told.unwrap_or_else(|| panic!("{statement}: {}", text.out));
        assert!(told.contains(found), "{statement}: {told}");
        let verdict = json.json();
        assert_eq!(verdict["sound"], false);
        let violations = verdict["violations"].as_array().unwrap();
        assert_eq!(verdict["violations_total"], violations.len());
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

#[test]
fn a_file_that_is_not_there_is_a_failure_and_no_verdict() {
    let folder = tempfile::tempdir().unwrap();

    let missing = dvt_in(folder.path(), &["verify", "--json"]);

    assert_eq!((missing.code, missing.out.as_str()), (4, ""));
    assert!(
        missing.err.contains("there is no such file"),
        "{}",
        missing.err
    );
}
