//! `dvt migrate`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::database::{Database, Ran};

fn command(database: &Database, args: &[&str]) -> Command {
    database.command(&[&["migrate"], args].concat())
}

fn run(database: &Database, args: &[&str]) -> Ran {
    command(database, args).output().unwrap().into()
}

/// Version, description and state of each migration.
fn lines(database: &Database, args: &[&str]) -> Vec<[String; 3]> {
    let ran = run(database, args).done();
    assert_eq!(ran.err, "");
    let line = |line: &str| -> [String; 3] {
        let mut columns = line.split('\t').map(str::to_owned);
        std::array::from_fn(|_| columns.next().unwrap())
    };
    ran.out.lines().map(line).collect()
}

fn states(database: &Database, args: &[&str]) -> Vec<String> {
    lines(database, args)
        .into_iter()
        .map(|[_, _, state]| state)
        .collect()
}

pub(crate) fn each_migration_is_applied_and_then_already_there(database: &Database) {
    let first = lines(database, &[]);
    assert_eq!(
        first[0],
        ["0001", "create run metadata", "applied"].map(str::to_owned)
    );
    assert!(
        first.iter().all(|[_, _, state]| state == "applied"),
        "{first:?}"
    );
    assert_eq!(states(database, &[]), vec!["already there"; first.len()]);
}

pub(crate) fn looking_changes_nothing(database: &Database) {
    for _ in 0..2 {
        assert_eq!(states(database, &["--dry-run"])[0], "would be applied");
        assert_eq!(states(database, &["--status"])[0], "pending");
    }
    let applied = lines(database, &[]).len();
    assert_eq!(
        states(database, &["--dry-run"]),
        vec!["already there"; applied]
    );
    let status = run(database, &["--status"]).done();
    assert_eq!(status.out.lines().count(), applied);
    for line in status.out.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        assert_eq!(columns[2], "applied");
        assert!(
            columns[3].starts_with("20") && columns[3].ends_with('Z'),
            "{line}"
        );
    }
}

pub(crate) fn json_has_stable_names(database: &Database) {
    let json = |args: &[&str]| run(database, &[args, &["--json"]].concat()).done().json();
    assert_eq!(json(&["--status"])["migrations"][0]["state"], "pending");
    let migrated = json(&[]);
    assert_eq!(migrated["schema"], *database.schema);
    assert_eq!(migrated["complete"], true);
    assert_eq!(
        migrated["migrations"][0],
        serde_json::json!({"version": 1, "description": "create run metadata", "state": "applied"})
    );
    let status = json(&["--status"]);
    assert!(
        status["migrations"][0]["applied_at"].is_string(),
        "{status}"
    );
}

pub(crate) fn the_dump_is_what_migrating_does(database: &Database) {
    let script = run(database, &["--dump-sql"]).done().out;
    database.execute(&script);
    let there = states(database, &[]);
    assert!(
        there.iter().all(|state| state == "already there"),
        "{there:?}"
    );
}

pub(crate) fn a_refusal_is_a_failure_of_the_store(database: &Database) {
    lines(database, &[]);
    database.execute("UPDATE schema_migrations SET checksum = '' WHERE version = 2");
    for mode in [&[][..], &["--status"], &["--dry-run"]] {
        let Ran { code, out, err } = run(database, mode);
        assert_eq!((code, out.as_str()), (4, ""));
        assert!(
            err.starts_with("error: migration 0002 create run events is not what was applied"),
            "{err}"
        );
    }
}

pub(crate) fn killed_after_any_line_it_goes_on_where_it_was(database: &Database) {
    let count = lines(database, &[]).len();
    for killed_after in 1..=count {
        let database = &database.another();
        let mut child = command(database, &[])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = out.nth(killed_after - 1).unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        let again = lines(database, &[]);

        assert!(told.ends_with("\tapplied"), "{told}");
        let kept = again
            .iter()
            .take_while(|[_, _, state]| state == "already there")
            .count();
        assert!(kept >= killed_after, "{told}: {again:?}");
        assert!(
            again[kept..].iter().all(|[_, _, state]| state == "applied"),
            "{again:?}"
        );
    }
}
