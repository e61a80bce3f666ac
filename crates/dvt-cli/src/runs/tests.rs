use clap::Parser as _;
use dvt_adapter_memory::MemoryStore;

use super::*;
use crate::args::{Args, Command};
use crate::console::{Console, Page, Written};
use crate::sample;

fn args(more: &[&str]) -> RunsArgs {
    let args = Args::try_parse_from([&["dvt", "runs"], more].concat()).unwrap();
    match args.command {
        Command::Runs(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed, and what is said about it.
async fn listed(store: &MemoryStore, more: &[&str]) -> (String, String) {
    let (mut console, printed, said) = Console::kept(false);
    let exit = list(store, &args(more), &mut console).await.unwrap();
    assert_eq!(exit, Exit::Done);
    (printed.text(), said.text())
}

/// Tenant and run of each line.
fn names(printed: &str) -> Vec<String> {
    printed
        .lines()
        .map(|line| {
            let mut values = line.split('\t');
            format!("{}/{}", values.next().unwrap(), values.next().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn all_tenants_are_listed_in_order_with_all_columns() {
    let store = sample::store().await;
    let (printed, said) = listed(&store, &[]).await;
    let expected = [
        "acme\tnightly-1\tCompleted\t6\t0\t2026-12-01T00:00:00.000000Z\tshop\tdev\tplan\t1\ttemporal wf-1\t",
        "acme\tnightly-2\tRunning\t1\t0\t2026-12-01T00:00:00.000000Z\tlab\tdev\tplan\t1\t\t",
        "acme\told\tCompleted\t2\t2\t2026-12-01T00:00:00.000000Z\tshop\tdev\tplan\t1\t\t2026-12-01T00:00:00.000000Z",
        "beta\tnightly-1\tFailed\t2\t0\t2026-12-01T00:00:00.000000Z\tshop\tdev\tplan\t1\t\t",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(said, "");
}

#[tokio::test]
async fn every_filter_narrows_the_list() {
    let store = sample::store().await;
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--tenant", "beta"], &["beta/nightly-1"]),
        (&["--project", "lab"], &["acme/nightly-2"]),
        (&["--status", "failed"], &["beta/nightly-1"]),
        (&["--pruned"], &["acme/old"]),
        (&["--environment", "prod"], &[]),
        (&["--before", sample::PERSISTED_AT], &[]),
        (&["--since", "2026-12-01T00:00:00.000001Z"], &[]),
        (
            &["--since", sample::PERSISTED_AT, "--status", "Completed"],
            &["acme/nightly-1", "acme/old"],
        ),
        (
            &["--from-tenant", "acme", "--after", "nightly-2"],
            &["acme/old", "beta/nightly-1"],
        ),
    ];
    for (filter, expected) in cases {
        let (printed, said) = listed(&store, filter).await;
        assert_eq!(names(&printed), expected, "{filter:?}");
        let nothing = if expected.is_empty() { "no runs\n" } else { "" };
        assert_eq!(said, nothing, "{filter:?}");
    }
}

#[tokio::test]
async fn objects_have_stable_names() {
    let store = sample::store().await;
    let (printed, _) = listed(&store, &["--json"]).await;
    let objects: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        objects[0],
        serde_json::json!({
            "tenant_id": "acme", "run_id": "nightly-1", "project_id": "shop", "environment_id": "dev",
            "plan_id": "plan", "plan_version": "1", "status": "Completed", "head": 6, "delivered_seq": 0,
            "created_at": "2026-12-01T00:00:00.000000Z", "pruned_at": null,
            "provider_ref": {"provider": "temporal", "namespace": "prod", "workflow_id": "wf-1", "run_id": "7"},
        })
    );
    assert_eq!(objects[2]["pruned_at"], "2026-12-01T00:00:00.000000Z");
    assert_eq!(objects[2]["provider_ref"], serde_json::Value::Null);
    assert_eq!(objects.len(), 4);
}

#[tokio::test]
async fn the_hint_leads_from_page_to_page_to_the_end() {
    let store = sample::store().await;
    let (printed, said) = listed(&store, &["--limit", "3"]).await;
    assert_eq!(
        names(&printed),
        ["acme/nightly-1", "acme/nightly-2", "acme/old"]
    );
    assert!(
        said.starts_with("there are more: go on with --from-tenant acme --after old and"),
        "{said}"
    );
    let (printed, said) = listed(
        &store,
        &["--limit", "3", "--from-tenant", "acme", "--after", "old"],
    )
    .await;
    assert_eq!(names(&printed), ["beta/nightly-1"]);
    assert_eq!(said, "");

    let (_, said) = listed(&store, &["--tenant", "acme", "--limit", "1"]).await;
    assert!(said.contains("--tenant acme --after nightly-1 "), "{said}");
    let (_, said) = listed(&store, &["--limit", "4"]).await;
    assert_eq!(said, "", "exactly as many as there are is all");
}

#[tokio::test]
async fn a_long_list_comes_whole_and_once() {
    let store = MemoryStore::new();
    let lines: Vec<_> = (0..2_500)
        .map(|number| {
            let tenant = format!("t{}", number % 2);
            sample::line(&tenant, &format!("r{number:04}"), "RunStarted", 0, "")
        })
        .collect();
    sample::fill(&store, &lines).await;
    let (printed, said) = listed(&store, &["--all"]).await;
    let listed_runs = names(&printed);
    let mut expected: Vec<_> = (0..2_500)
        .map(|number| format!("t{}/r{number:04}", number % 2))
        .collect();
    expected.sort();
    assert_eq!(listed_runs, expected);
    assert_eq!(said, "");

    let (printed, said) = listed(&store, &[]).await;
    assert_eq!(printed.lines().count(), 100);
    assert!(said.contains("there are more"), "{said}");
    let (printed, _) = listed(&store, &["--limit", "1001"]).await;
    assert_eq!(names(&printed), expected[..1_001]);
}

#[tokio::test]
async fn a_terminal_gets_the_columns_that_fit_and_is_told_of_the_others() {
    let store = sample::store().await;
    let (out, printed): (Page, Written) = Page::kept(true, 80);
    let (err, said) = Page::kept(false, 80);
    let mut console = Console { out, err };
    list(&store, &args(&["--tenant", "beta"]), &mut console)
        .await
        .unwrap();
    assert_eq!(
        printed.text(),
        "tenant  run        status  head  delivered  created               project\n\
         beta    nightly-1  Failed     2          0  2026-12-01T00:00:00Z  shop\n"
    );
    assert_eq!(
        said.text(),
        "too narrow for: environment, plan, plan version, provider, pruned\n"
    );
}

#[test]
fn command_lines_that_mean_nothing_are_refused() {
    for wrong in [
        &["--after", "run"][..],
        &["--tenant", "a", "--from-tenant", "b"],
        &["--limit", "0"],
        &["--limit", "5", "--all"],
        &["--status", "Done"],
        &["--since", "yesterday"],
        &["--tenant", "a|b"],
    ] {
        let refused = Args::try_parse_from([&["dvt", "runs"], wrong].concat());
        assert_eq!(refused.unwrap_err().exit_code(), 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_count_takes_the_same_filters() {
    let store = sample::store().await;
    let counted = async |more: &[&str]| {
        let (printed, said) = listed(&store, &[&["--count", "--json"], more].concat()).await;
        assert_eq!(said, "");
        let object: serde_json::Value = serde_json::from_str(&printed).unwrap();
        ["total", "running", "completed", "failed"].map(|name| object[name].as_u64().unwrap())
    };
    assert_eq!(counted(&[]).await, [4, 1, 2, 1]);
    assert_eq!(counted(&["--tenant", "acme"]).await, [3, 1, 2, 0]);
    assert_eq!(counted(&["--project", "lab"]).await, [1, 1, 0, 0]);
    assert_eq!(counted(&["--pruned"]).await, [1, 0, 1, 0]);
    assert_eq!(counted(&["--tenant", "nobody"]).await, [0, 0, 0, 0]);

    let (mut console, printed, _) = Console::kept(true);
    list(&store, &args(&["--count"]), &mut console)
        .await
        .unwrap();
    assert_eq!(
        printed.text(),
        "Running               1\nCompleted             2\nFailed                1\ntotal                 4\n"
    );
}
