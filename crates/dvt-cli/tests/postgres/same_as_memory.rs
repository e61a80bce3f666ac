//! What is printed does not depend on the store.

use crate::database::{Database, Ran, bare};

/// The log of a real dbt run.
pub(crate) const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/dbt-build.jsonl");
/// How many events that log gives.
pub(crate) const EVENTS: u64 = 56;

/// Records the log.
pub(crate) fn record(database: &Database, more: &[&str]) -> Ran {
    let args = [&["record", LOG, "--format", "dbt"], more].concat();
    database.dvt(&args).done()
}

fn on_memory(more: &[&str]) -> Ran {
    let args = [&["record", LOG, "--format", "dbt"], more].concat();
    let ran = bare(&args).env("DVT_STORE", "memory:").output().unwrap();
    Ran::from(ran).done()
}

pub(crate) fn recording_twice_appends_nothing(database: &Database) {
    let first = record(database, &["--json"]).json();
    assert_eq!(first, on_memory(&["--json"]).json());
    assert_eq!(first["appended"], EVENTS);

    let second = record(database, &[]);
    let expected = format!("1 run: 0 appended, {EVENTS} duplicates, 0 rejected\n");
    assert!(second.out.starts_with(&expected), "{}", second.out);
    let third = record(database, &["--json"]).json();
    assert_eq!(
        (&third["appended"], &third["runs_created"]),
        (&0.into(), &0.into())
    );
    assert_eq!(third["runs"], first["runs"]);
}

pub(crate) fn a_run_is_drawn_as_on_memory(database: &Database) {
    let memory = on_memory(&["--show"]);
    let recorded = record(database, &["--show"]);
    assert_eq!(recorded.out, memory.out);
    let runs = database.dvt(&["runs", "--json"]).done().json();
    let shown = database
        .dvt(&["show", runs["run_id"].as_str().unwrap()])
        .done();
    let (_, drawing) = shown.out.split_once("\n\n").unwrap();
    assert!(memory.out.contains(drawing), "{drawing}\n{}", memory.out);
}

pub(crate) fn events_are_delivered_as_on_memory(database: &Database) {
    let without_clock = |ran: Ran| {
        let mut lines = ran.json_lines();
        for line in &mut lines {
            line.as_object_mut().unwrap().remove("persisted_at");
        }
        lines
    };
    let memory = without_clock(on_memory(&["--drain"]));
    assert_eq!(memory.len() as u64, EVENTS);
    assert_eq!(without_clock(record(database, &["--drain"])), memory);
}
