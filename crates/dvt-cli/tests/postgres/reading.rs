//! `dvt runs`, `dvt show` and `dvt events`.

use crate::database::{Database, Ran};
use crate::same_as_memory::{EVENTS, record};

/// The id of the only run.
fn run_id(database: &Database) -> String {
    let run = database.dvt(&["runs", "--json"]).done().json();
    run["run_id"].as_str().unwrap().to_owned()
}

pub(crate) fn runs_are_listed(database: &Database) {
    let empty = database.dvt(&["runs"]).done();
    assert_eq!((empty.out.as_str(), empty.err.as_str()), ("", "no runs\n"));

    let summary = record(database, &["--json"]).json();
    let objects = database.dvt(&["runs", "--json"]).done().json_lines();
    assert_eq!(objects.len(), 1);
    let told = summary["runs"][0].as_object().unwrap();
    for name in [
        "tenant_id",
        "run_id",
        "project_id",
        "environment_id",
        "plan_id",
        "plan_version",
        "status",
        "head",
    ] {
        assert_eq!(objects[0][name], told[name], "{name}");
    }
    assert_eq!(objects[0]["delivered_seq"], 0);

    let words = database.dvt(&["runs", "--tenant", "default"]).done();
    let expected = format!("default\t{}\tFailed\t{EVENTS}\t0\t", run_id(database));
    assert!(words.out.starts_with(&expected), "{}", words.out);
    let others = database.dvt(&["runs", "--status", "Completed"]).done();
    assert_eq!(others.out, "");
}

pub(crate) fn a_shown_run_tells_where_it_stands(database: &Database) {
    let summary = record(database, &["--json"]).json();
    let run_id = run_id(database);
    let shown = database.dvt(&["show", &run_id, "--json"]).done().json();
    for name in ["head", "status", "steps", "anomalies"] {
        assert_eq!(shown[name], summary["runs"][0][name], "{name}");
    }
    let words = database.dvt(&["show", &run_id]).done();
    assert!(words.out.contains("  delivered    none\n"), "{}", words.out);

    let missing = database.dvt(&["show", &run_id, "--tenant", "other"]);
    assert_eq!(missing.code, 6, "{missing:?}");
    assert_eq!(missing.out, "");
}

pub(crate) fn a_log_is_what_a_drain_delivers(database: &Database) {
    record(database, &[]);
    let run_id = run_id(database);
    let log = database.dvt(&["events", &run_id, "--json"]).done();
    let seqs: Vec<_> = log
        .json_lines()
        .iter()
        .map(|event| event["run_seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=EVENTS).collect::<Vec<_>>());
    let piece = database
        .dvt(&["events", &run_id, "--after", "3", "--limit", "2"])
        .done();
    let seqs: Vec<_> = piece
        .out
        .lines()
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(seqs, ["4", "5"]);
    let missing = database.dvt(&["events", "no-such-run"]);
    assert_eq!(missing.code, 6, "{missing:?}");

    let drained: Ran = database.dvt(&["drain"]).done();
    assert_eq!(drained.out.replace(",\"claim_no\":1", ""), log.out);
}
