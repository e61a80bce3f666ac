//! `dvt record --format dbt` and `dvt demo`, with a log that dbt wrote.

use std::collections::BTreeMap;

use crate::common::{Ran, command_in, dvt, dvt_in, dvt_with};

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/dbt-build.jsonl");
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/run_results.json");

/// Steps by status, as dbt's own results have them.
fn results() -> BTreeMap<&'static str, u64> {
    let text = std::fs::read_to_string(RESULTS).unwrap();
    let results: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut steps = BTreeMap::from([
        ("completed", 0),
        ("failed", 0),
        ("running", 0),
        ("skipped", 0),
    ]);
    for result in results["results"].as_array().unwrap() {
        let status = match result["status"].as_str().unwrap() {
            "success" | "pass" | "warn" | "no-op" | "reused" => "completed",
            "error" | "fail" | "partial success" => "failed",
            "skipped" => "skipped",
            other => panic!("{other}"),
        };
        *steps.entry(status).or_default() += 1;
    }
    steps
}

#[test]
fn steps_per_status_equal_the_results_that_dbt_wrote() {
    let ran = dvt(&[
        "record",
        LOG,
        "--format",
        "dbt",
        "--json",
        "--tenant",
        "acme",
        "--environment",
        "ci",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json = ran.json();
    assert_eq!(json["rejected"], 0);
    assert_eq!(json["duplicates"], 0);
    let count = |name: &str| json[name].as_u64().unwrap();
    assert_eq!(count("lines"), count("appended") + count("ignored"));
    let kinds = json["ignored_by_kind"].as_object().unwrap();
    assert_eq!(
        kinds
            .values()
            .map(|number| number.as_u64().unwrap())
            .sum::<u64>(),
        count("ignored")
    );
    let [run] = &json["runs"].as_array().unwrap()[..] else {
        panic!("one invocation is one run")
    };
    let steps: BTreeMap<&str, u64> =
        serde_json::from_value::<BTreeMap<String, u64>>(run["steps"].clone())
            .unwrap()
            .into_iter()
            .map(|(status, number)| (&*status.leak(), number))
            .collect();
    assert_eq!(steps, results());
    assert_eq!(run["status"], "Failed");
    assert_eq!(run["anomalies"], 0);
    assert_eq!(run["tenant_id"], "acme");
    assert_eq!(run["environment_id"], "ci");
    assert_eq!(run["project_id"], run["plan_id"]);
    assert!(!run["plan_version"].as_str().unwrap().starts_with('='));
}

#[test]
fn a_log_twice_is_one_run() {
    let log = std::fs::read(LOG).unwrap();
    let once = dvt_with(&["record", "-", "--format", "dbt", "--json"], &log).json();
    let twice = dvt_with(
        &["record", "-", "--format", "dbt", "--json"],
        &log.repeat(2),
    )
    .json();
    assert_eq!(twice["appended"], once["appended"]);
    assert_eq!(twice["duplicates"], once["appended"]);
    assert_eq!(twice["duplicates_with_other_content"], 0);
    assert_eq!(twice["rejected"], 0);
    assert_eq!(twice["runs"], once["runs"]);
}

#[test]
fn a_log_that_is_cut_stays_running() {
    let log = std::fs::read(LOG).unwrap();
    let lines: Vec<_> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let half = lines[..lines.len() / 2].concat();
    let ran = dvt_with(&["record", "-", "--format", "dbt", "--json"], &half);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.json()["runs"][0]["status"], "Running");
}

#[test]
fn the_demo_shows_and_delivers_the_bundled_run() {
    let folder = tempfile::tempdir().unwrap();
    let ran = command_in(folder.path(), &["demo"])
        .env("DVT_STORE", "postgresql://nowhere")
        .env("DATABASE_URL", "postgresql://nowhere")
        .output()
        .unwrap();
    let ran: Ran = ran.into();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "");
    let steps = results();
    let counts = format!(
        "{} completed, {} failed, {} skipped",
        steps["completed"], steps["failed"], steps["skipped"]
    );
    assert!(ran.out.contains(&counts), "{}", ran.out);
    for glyph in ['█', '▓', '·'] {
        let row = ran
            .out
            .lines()
            .find(|row| row.contains('│') && row.contains(glyph));
        assert!(row.is_some(), "{glyph}");
    }
    let delivered: Vec<u64> = ran
        .out
        .lines()
        .filter_map(|row| row.strip_prefix("→"))
        .map(|row| row.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    assert!(delivered.len() > 20);
    assert_eq!(delivered, (1..=delivered.len() as u64).collect::<Vec<_>>());
    assert!(
        ran.out
            .lines()
            .filter(|row| !row.starts_with("  "))
            .all(|row| row.chars().count() <= 100)
    );
    let again = dvt_in(folder.path(), &["demo"]);
    assert!(again.out.contains("nothing was appended"), "{}", again.out);
    assert!(!again.out.contains("delivered in order"), "{}", again.out);
    let runs = dvt_in(folder.path(), &["runs", "--json"]).json();
    assert_eq!(runs["head"], delivered.len());
    assert_eq!(runs["delivered_seq"], delivered.len());
    assert_eq!(runs["status"], "Failed");
    assert_eq!(dvt(&["demo", "--json"]).out, dvt(&["demo", "--json"]).out);
    assert_eq!(
        dvt(&["demo", "--json"]).out.lines().count(),
        delivered.len()
    );
}

#[test]
fn the_commands_that_the_demo_names_work() {
    let folder = tempfile::tempdir().unwrap();
    let demo = command_in(folder.path(), &["demo"])
        .env("DVT_STORE", "postgres://nobody@127.0.0.1:1/none")
        .output()
        .unwrap();
    let demo = Ran::from(demo).out;
    let (_, next) = demo.split_once("== try next ==").unwrap();
    let commands: Vec<_> = next
        .lines()
        .filter_map(|row| row.strip_prefix("  "))
        .collect();
    assert_eq!(commands.len(), 6, "{next}");
    for shell in commands
        .iter()
        .filter(|command| !command.starts_with("dbt "))
    {
        let output = std::process::Command::new("sh")
            .args(["-c", shell])
            .current_dir(folder.path())
            .env("DVT_STORE", "postgres://nobody@127.0.0.1:1/none")
            .output()
            .unwrap();
        assert!(
            output.status.success() && !output.stdout.is_empty(),
            "{shell}: {output:?}"
        );
    }
}
