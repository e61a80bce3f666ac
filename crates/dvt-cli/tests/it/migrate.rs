//! `dvt migrate`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::schema::{TestSchema, url};

/// The tests of this file.
pub(crate) fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 6] = [
        (
            "each_migration_is_applied_and_then_already_there",
            each_migration_is_applied_and_then_already_there,
        ),
        ("looking_changes_nothing", looking_changes_nothing),
        ("json_has_stable_names", json_has_stable_names),
        (
            "the_dump_is_what_migrating_does",
            the_dump_is_what_migrating_does,
        ),
        (
            "a_refusal_is_a_failure_of_the_store",
            a_refusal_is_a_failure_of_the_store,
        ),
        (
            "killed_after_any_line_it_goes_on_where_it_was",
            killed_after_any_line_it_goes_on_where_it_was,
        ),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(format!("migrate::{name}"), move || {
            test();
            Ok::<_, Failed>(())
        })
    };
    tests.map(trial).into()
}

fn command(schema: &TestSchema, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dvt"));
    command
        .arg("migrate")
        .args(args)
        .env("DATABASE_URL", url())
        .env_remove("DVT_STORE")
        .env("DVT_PG_SCHEMA", &schema.name)
        .stdin(Stdio::null());
    command
}

/// Exit code, standard output, standard error.
fn run(schema: &TestSchema, args: &[&str]) -> (Option<i32>, String, String) {
    let output = command(schema, args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Version, description and state of each migration.
fn lines(schema: &TestSchema, args: &[&str]) -> Vec<[String; 3]> {
    let (code, out, err) = run(schema, args);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let line = |line: &str| -> [String; 3] {
        let mut columns = line.split('\t').map(str::to_owned);
        std::array::from_fn(|_| columns.next().unwrap())
    };
    out.lines().map(line).collect()
}

fn states(schema: &TestSchema, args: &[&str]) -> Vec<String> {
    lines(schema, args)
        .into_iter()
        .map(|[_, _, state]| state)
        .collect()
}

fn each_migration_is_applied_and_then_already_there() {
    let schema = TestSchema::create();
    let first = lines(&schema, &[]);
    assert_eq!(
        first[0],
        ["0001", "create run metadata", "applied"].map(str::to_owned)
    );
    assert!(
        first.iter().all(|[_, _, state]| state == "applied"),
        "{first:?}"
    );
    assert_eq!(states(&schema, &[]), vec!["already there"; first.len()]);
}

fn looking_changes_nothing() {
    let schema = TestSchema::create();
    for _ in 0..2 {
        assert_eq!(states(&schema, &["--dry-run"])[0], "would be applied");
        assert_eq!(states(&schema, &["--status"])[0], "pending");
    }
    let applied = lines(&schema, &[]).len();
    assert_eq!(
        states(&schema, &["--dry-run"]),
        vec!["already there"; applied]
    );
    let (_, out, _) = run(&schema, &["--status"]);
    for line in out.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        assert_eq!(columns[2], "applied");
        assert!(
            columns[3].starts_with("20") && columns[3].ends_with('Z'),
            "{line}"
        );
    }
}

fn json_has_stable_names() {
    let schema = TestSchema::create();
    let json = |args: &[&str]| -> serde_json::Value {
        let (code, out, _) = run(&schema, &[args, &["--json"]].concat());
        assert_eq!(code, Some(0));
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(json(&["--status"])["migrations"][0]["state"], "pending");
    let migrated = json(&[]);
    assert_eq!(migrated["schema"], *schema.name);
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

fn the_dump_is_what_migrating_does() {
    let schema = TestSchema::create();
    let (_, script, _) = run(&schema, &["--dump-sql"]);
    schema.execute(&script);
    let there = states(&schema, &[]);
    assert!(
        there.iter().all(|state| state == "already there"),
        "{there:?}"
    );
}

fn a_refusal_is_a_failure_of_the_store() {
    let schema = TestSchema::create();
    lines(&schema, &[]);
    schema.execute("UPDATE schema_migrations SET checksum = '' WHERE version = 2");
    for mode in [&[][..], &["--status"], &["--dry-run"]] {
        let (code, out, err) = run(&schema, mode);
        assert_eq!((code, out.as_str()), (Some(4), ""));
        assert!(
            err.starts_with("error: migration 0002 create run events is not what was applied"),
            "{err}"
        );
    }
}

fn killed_after_any_line_it_goes_on_where_it_was() {
    let count = lines(&TestSchema::create(), &[]).len();
    for killed_after in 1..=count {
        let schema = TestSchema::create();
        let mut child = command(&schema, &[])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = out.nth(killed_after - 1).unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        let again = lines(&schema, &[]);

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
