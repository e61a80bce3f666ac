//! A real `dbt retry`, as the continuation of the run that failed and as a run of its own.

use std::path::Path;

use crate::common::{Ran, dvt_in};

const BUILD: &str = include_str!("../../samples/dbt-retry/build.jsonl");
const RETRY: &str = include_str!("../../samples/dbt-retry/retry.jsonl");
const RUN: &str = "4ecbe1a5-7b42-44e9-b4a3-3abcceecefdc";
const RETRY_RUN: &str = "892b2df3-e2b5-43cb-818a-f5211d2566d4";

fn record(folder: &Path, log: &str, more: &[&str]) -> Ran {
    std::fs::write(folder.join("log"), log).unwrap();
    let args = ["record", "log", "--format", "dbt", "--json"];
    dvt_in(folder, &[&args[..], more].concat())
}

fn exported(folder: &Path) -> String {
    let exported = dvt_in(folder, &["export"]);
    assert_eq!((exported.code, exported.err.as_str()), (0, ""));
    exported.out
}

/// A folder with the build in its store.
fn built() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ran = record(folder.path(), BUILD, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["runs"][0]["status"], "Failed");
    folder
}

#[test]
fn a_retry_continues_the_run_that_failed() {
    let folder = built();

    let ran = record(folder.path(), RETRY, &["--run", RUN]);

    assert_eq!(ran.code, 0, "{ran:?}");
    let summary = ran.json();
    assert_eq!(
        (
            &summary["appended"],
            &summary["runs_total"],
            &summary["rejected"]
        ),
        (&8.into(), &1.into(), &0.into()),
        "{summary}"
    );
    let run = dvt_in(folder.path(), &["show", RUN, "--json"]).json();
    assert_eq!(
        (&run["status"], &run["anomalies"]),
        (&"Completed".into(), &0.into())
    );
    let events = dvt_in(folder.path(), &["events", RUN]).out;
    let attempts = |step: &str| -> Vec<String> {
        let rows = events
            .lines()
            .map(|row| row.split('\t').collect::<Vec<_>>());
        rows.filter(|row| row[2] == step)
            .map(|row| format!("{} {}", row[1], row[3]))
            .collect()
    };
    assert_eq!(
        attempts("model.jaffle_shop.stg_payments"),
        [
            "StepStarted 1",
            "StepFailed 1",
            "StepStarted 2",
            "StepCompleted 2"
        ]
    );
    assert_eq!(
        attempts("model.jaffle_shop.fct_payments"),
        [
            "StepStarted 1",
            "StepSkipped 1",
            "StepStarted 2",
            "StepCompleted 2"
        ]
    );
    assert_eq!(
        attempts(""),
        [
            "RunStarted 1",
            "RunFailed 1",
            "RunStarted 2",
            "RunCompleted 2"
        ]
    );
    let shown = dvt_in(folder.path(), &["show", RUN]).out;
    assert!(shown.contains("Completed"), "{shown}");
}

#[test]
fn recording_a_retry_again_appends_nothing_wherever_the_first_time_ended() {
    let folder = built();
    record(folder.path(), RETRY, &["--run", RUN]);
    let expected = exported(folder.path());
    let lines: Vec<&str> = RETRY.split_inclusive('\n').collect();

    for cut in (0..=lines.len()).step_by(5) {
        let folder = built();
        let part = record(folder.path(), &lines[..cut].concat(), &["--run", RUN]);
        assert_eq!(part.code, 0, "{cut}: {part:?}");
        let whole = record(folder.path(), RETRY, &["--run", RUN]);
        assert_eq!(whole.code, 0, "{cut}: {whole:?}");
        assert!(exported(folder.path()) == expected, "{cut}");
        let again = record(folder.path(), RETRY, &["--run", RUN]).json();
        assert_eq!(
            (&again["appended"], &again["duplicates"]),
            (&0.into(), &8.into()),
            "{cut}"
        );
    }
}

#[test]
fn a_log_of_both_continues_itself() {
    let folder = built();
    let both = [BUILD, RETRY].concat();

    let ran = record(folder.path(), &both, &["--run", RUN]);

    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["appended"], 8);
    let alone = built();
    record(alone.path(), RETRY, &["--run", RUN]);
    assert!(exported(folder.path()) == exported(alone.path()));
}

#[test]
fn a_second_retry_takes_the_next_attempt() {
    let folder = built();
    // As if the first retry had failed like the build.
    let failed = BUILD.replace(RUN, "another-invocation");
    let ran = record(folder.path(), &failed, &["--run", RUN]);
    assert_eq!(ran.json()["runs"][0]["status"], "Failed", "{ran:?}");

    let ran = record(folder.path(), RETRY, &["--run", RUN]);

    assert_eq!(ran.code, 0, "{ran:?}");
    let events = dvt_in(folder.path(), &["events", RUN]).out;
    let starts: Vec<_> = events
        .lines()
        .filter(|row| {
            row.contains("\tRunStarted\t")
                || row.contains("StepCompleted\tmodel.jaffle_shop.stg_payments")
        })
        .map(|row| row.split('\t').nth(3).unwrap())
        .collect();
    assert_eq!(starts, ["1", "2", "3", "3"]);
}

#[test]
fn without_the_run_it_is_one_of_its_own() {
    let folder = built();

    let ran = record(folder.path(), RETRY, &[]);

    assert_eq!(ran.json()["runs"][0]["run_id"], RETRY_RUN);
    assert_eq!(ran.json()["runs_created"], 1);
}

#[test]
fn what_cannot_be_continued_is_refused_before_anything_is_written() {
    let folder = built();
    let before = exported(folder.path());

    let missing = record(folder.path(), RETRY, &["--run", "no-such-run"]);
    assert_eq!(missing.code, 6, "{missing:?}");
    assert!(missing.err.contains("is not there"), "{}", missing.err);
    let misplaced = dvt_in(folder.path(), &["record", "log", "--run", RUN]);
    assert_eq!(misplaced.code, 2, "{misplaced:?}");
    assert!(
        misplaced.err.contains("--run is for --format dbt"),
        "{}",
        misplaced.err
    );
    let foreign = RETRY.replace("jaffle_shop", "other_shop");
    let foreign = record(folder.path(), &foreign, &["--run", RUN]);
    assert_eq!(
        (foreign.code, &foreign.json()["rejected"]),
        (1, &1.into()),
        "{foreign:?}"
    );
    assert!(
        foreign.err.contains("is of project other_shop"),
        "{}",
        foreign.err
    );
    assert!(exported(folder.path()) == before);

    record(folder.path(), RETRY, &["--run", RUN]);
    let before = exported(folder.path());
    let another = RETRY.replace(RETRY_RUN, "a-later-invocation");
    let ended = record(folder.path(), &another, &["--run", RUN]);
    assert_eq!(
        (ended.code, &ended.json()["rejected"]),
        (1, &1.into()),
        "{ended:?}"
    );
    assert!(
        ended
            .err
            .contains("is Completed, and only a run that failed"),
        "{}",
        ended.err
    );
    assert!(exported(folder.path()) == before);
}
