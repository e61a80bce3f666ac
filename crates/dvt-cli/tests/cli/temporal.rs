//! Real workflow histories of Temporal.

use std::path::Path;

use crate::common::{Ran, dvt_in};

const NIGHTLY: &str = include_str!("../../samples/temporal/nightly-1.json");
const CHECKED: &str = include_str!("../../samples/temporal/checked-1.json");
const WAITING: &str = include_str!("../../samples/temporal/waiting-1.json");
const FIRST_PARENT: &str = include_str!("../../samples/temporal/parent-0.json");
const SECOND_PARENT: &str = include_str!("../../samples/temporal/parent-1.json");
const NIGHTLY_RUN: &str = "01a2085b-8c27-7d59-b80d-54b46ca671ac";

fn record(folder: &Path, histories: &[&str], more: &[&str]) -> Ran {
    std::fs::write(folder.join("histories"), histories.concat()).unwrap();
    let args = ["record", "histories", "--format", "temporal"];
    dvt_in(folder, &[&args[..], more].concat())
}

#[test]
fn histories_are_recorded_once_and_their_runs_tell_how_they_ended() {
    let folder = tempfile::tempdir().unwrap();
    let all = [NIGHTLY, CHECKED, WAITING, FIRST_PARENT, SECOND_PARENT];

    let first = record(folder.path(), &all, &["--json"]);
    let again = record(folder.path(), &all, &["--json"]);

    assert_eq!((first.code, first.err.as_str()), (0, ""), "{first:?}");
    let (first, again) = (first.json(), again.json());
    assert_eq!(first["runs_created"], 5);
    assert_eq!(
        (&again["appended"], &again["duplicates"]),
        (&0.into(), &first["appended"])
    );
    let runs = first["runs"].as_array().unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| {
            (
                run["plan_id"].as_str().unwrap(),
                run["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("nightly", "Completed"),
            ("checked", "Failed"),
            ("waiting", "Cancelled"),
            ("parent", "Completed"),
            ("parent", "Completed")
        ]
    );
    assert!(runs.iter().all(|run| run["anomalies"] == 0), "{runs:?}");
    let listed = dvt_in(folder.path(), &["runs", "--json"]).out;
    assert!(
        listed.contains(r#""provider":"temporal","namespace":null,"workflow_id":"nightly-1""#),
        "{listed}"
    );
}

#[test]
fn a_run_shows_its_activities_and_their_retries() {
    let folder = tempfile::tempdir().unwrap();

    let shown = record(
        folder.path(),
        &[NIGHTLY],
        &["--show", "--tenant", "shop", "--environment", "prod"],
    );

    assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{shown:?}");
    for step in ["extract#5", "extract#6", "load#14", "report#29"] {
        assert!(shown.out.contains(step), "{}", shown.out);
    }
    let run = dvt_in(
        folder.path(),
        &["show", NIGHTLY_RUN, "--tenant", "shop", "--json"],
    )
    .json();
    assert_eq!(
        (&run["environment_id"], &run["status"]),
        (&"prod".into(), &"Completed".into())
    );
}

#[test]
fn a_history_that_grew_adds_what_is_new() {
    let whole: serde_json::Value = serde_json::from_str(NIGHTLY).unwrap();
    let at_once = tempfile::tempdir().unwrap();
    record(at_once.path(), &[NIGHTLY], &[]);
    let expected = dvt_in(at_once.path(), &["export"]).out;
    let folder = tempfile::tempdir().unwrap();
    let mut appended = 0;
    for length in [1, 7, 7, 19, 30, 35] {
        let mut part = whole.clone();
        part["events"].as_array_mut().unwrap().truncate(length);
        let ran = record(folder.path(), &[&part.to_string()], &["--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        appended += ran.json()["appended"].as_u64().unwrap();
    }

    assert_eq!(dvt_in(folder.path(), &["export"]).out, expected);
    assert_eq!(appended, expected.lines().count() as u64);
}

#[test]
fn an_input_that_is_no_history_is_told() {
    let folder = tempfile::tempdir().unwrap();

    let other = record(folder.path(), &["Error: workflow not found\n"], &[]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(
        other.err.contains("line 1: expected a workflow history"),
        "{}",
        other.err
    );
    assert!(
        other
            .err
            .contains("hint: the input holds no workflow history: temporal workflow show"),
        "{}",
        other.err
    );
    let cut = record(folder.path(), &[CHECKED, &NIGHTLY[..2_000]], &["--json"]);
    assert_eq!(
        (cut.code, &cut.json()["rejected"]),
        (1, &1.into()),
        "{cut:?}"
    );
    assert_eq!(cut.json()["runs"][0]["status"], "Failed");
    let misplaced = record(folder.path(), &[CHECKED], &["--run", "a"]);
    assert_eq!(misplaced.code, 2, "{misplaced:?}");
    assert!(
        misplaced.err.contains("--run is for --format dbt"),
        "{}",
        misplaced.err
    );
}
