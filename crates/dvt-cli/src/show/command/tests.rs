use clap::Parser as _;
use dvt_adapter_memory::MemoryStore;

use super::*;
use crate::args::{Args, Command};
use crate::console::Page;
use crate::sample;

fn args(more: &[&str]) -> ShowArgs {
    let args = Args::try_parse_from([&["dvt", "show"], more].concat()).unwrap();
    match args.command {
        Command::Show(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed, and what is said about it.
async fn shown(store: &MemoryStore, more: &[&str]) -> Result<(String, String), Failure> {
    let (mut console, printed, said) = Console::kept(false);
    show(store, &args(more), &mut console).await?;
    Ok((printed.text(), said.text()))
}

#[tokio::test]
async fn a_run_is_shown_as_after_recording_with_where_it_stands() {
    let store = sample::store().await;
    let (printed, said) = shown(&store, &["nightly-1", "--tenant", "acme"])
        .await
        .unwrap();
    let header: Vec<_> = printed
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(
        header,
        [
            "run nightly-1  Completed",
            "  tenant       acme",
            "  project      shop",
            "  environment  dev",
            "  plan         plan version 1",
            "  provider     temporal wf-1",
            "  namespace    prod",
            "  its run      7",
            "  created      2026-12-01T00:00:00.000000Z",
            "  started      2026-01-02T03:04:00.000000Z",
            "  duration     9.00 s",
            "  log          6 events",
            "  delivered    none",
            "  steps        1 completed",
            "  chain        1 step, 6.00 s of work (inferred from times)",
        ]
    );
    let (mut page, brief) = Page::kept(false, 100);
    let run = sample::key("acme", "nightly-1");
    crate::show::run(&store, &run, Detail::Brief, &mut page)
        .await
        .unwrap();
    let drawing = |text: &str| text.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!(drawing(&printed), drawing(&brief.text()));
    assert!(
        printed.contains("◆✓ load  ×2   +1.00 s    6.00 s │"),
        "{printed}"
    );
    assert_eq!(said, "");
}

#[tokio::test]
async fn the_cursor_is_told() {
    let store = sample::store().await;
    let (printed, _) = shown(&store, &["old", "--tenant", "acme"]).await.unwrap();
    assert!(printed.contains("  delivered    all\n"), "{printed}");
}

#[tokio::test]
async fn the_object_has_stable_names() {
    let store = sample::store().await;
    let more = sample::line("acme", "nightly-1", "RunPaused", 10, "");
    sample::fill(&store, &[more]).await;
    let (printed, said) = shown(&store, &["nightly-1", "--tenant", "acme", "--json"])
        .await
        .unwrap();
    assert_eq!(printed.lines().count(), 1);
    let object: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let message = object["anomaly_list"][0]["message"].clone();
    assert!(message.as_str().unwrap().contains("RunPaused"), "{message}");
    assert_eq!(
        object,
        serde_json::json!({
            "tenant_id": "acme", "run_id": "nightly-1", "project_id": "shop", "environment_id": "dev",
            "plan_id": "plan", "plan_version": "1", "status": "Completed", "head": 7, "delivered_seq": 0,
            "created_at": "2026-12-01T00:00:00.000000Z", "pruned_at": null,
            "provider_ref": {"provider": "temporal", "namespace": "prod", "workflow_id": "wf-1", "run_id": "7"},
            "started_at": "2026-01-02T03:04:00.000000Z", "ended_at": "2026-01-02T03:04:09.000000Z", "cancelling": false,
            "steps": {"running": 0, "completed": 1, "failed": 0, "skipped": 0},
            "attempts": [
                {"step_id": "load", "logical_attempt": 1, "status": "failed",
                 "started_at": "2026-01-02T03:04:01.000000Z", "ended_at": "2026-01-02T03:04:03.000000Z", "chain": true},
                {"step_id": "load", "logical_attempt": 2, "status": "completed",
                 "started_at": "2026-01-02T03:04:04.000000Z", "ended_at": "2026-01-02T03:04:08.000000Z", "chain": true},
            ],
            "chain": [{"step_id": "load", "logical_attempt": 1}, {"step_id": "load", "logical_attempt": 2}],
            "groups": [{"name": "completed", "steps": 1, "running": 0, "completed": 1, "failed": 0, "skipped": 0,
                        "total_seconds": 6.0, "longest_seconds": 6.0}],
            "anomalies": 1,
            "anomaly_list": [{"run_seq": 7, "message": message}],
        })
    );
    assert_eq!(said, "");
}

#[tokio::test]
async fn the_picture_is_a_file_beside_what_is_printed() {
    let store = sample::store().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.svg");
    let run = ["nightly-1", "--tenant", "acme"];
    let svg = ["--svg", file.to_str().unwrap()];

    let (with, said) = shown(&store, &[&run[..], &svg].concat()).await.unwrap();

    let (without, _) = shown(&store, &run).await.unwrap();
    assert_eq!((with, said.as_str()), (without, ""));
    let picture = std::fs::read_to_string(&file).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    let refused = shown(
        &store,
        &[&run[..], &["--svg", folder.path().to_str().unwrap()]].concat(),
    )
    .await
    .unwrap_err();
    assert_eq!(refused.exit().code(), 5);
    assert!(
        refused
            .to_string()
            .ends_with("name a file, or one that is not there yet"),
        "{refused}"
    );
}

#[tokio::test]
async fn all_anomalies_are_listed_on_demand() {
    let store = sample::store().await;
    let late: Vec<_> = (10..22)
        .map(|second| {
            sample::line(
                "beta",
                "nightly-1",
                "RunPaused",
                second,
                &format!(r#","occurrence":{}"#, second - 8),
            )
        })
        .collect();
    sample::fill(&store, &late).await;
    let told = |seq: u64| {
        format!(
            "  event {seq}: RunPaused is illegal in a run that is Failed: it is legal from Running\n"
        )
    };
    let first: String = (3..13).map(told).collect();
    let (printed, _) = shown(&store, &["nightly-1", "--tenant", "beta"])
        .await
        .unwrap();
    let expected = format!("\n12 anomalies\n{first}  and 2 more: --all lists them\n\n");
    assert!(printed.ends_with(&expected), "{printed}");
    let (printed, _) = shown(&store, &["nightly-1", "--tenant", "beta", "--all"])
        .await
        .unwrap();
    let expected = format!("\n12 anomalies\n{first}{}{}\n", told(13), told(14));
    assert!(printed.ends_with(&expected), "{printed}");
}

#[tokio::test]
async fn a_pruned_run_shows_its_tombstone() {
    let store = sample::store().await;
    let (printed, said) = shown(&store, &["old", "--tenant", "acme"]).await.unwrap();
    assert!(printed.starts_with("run old  Completed\n"), "{printed}");
    assert!(
        printed.contains("  pruned       2026-12-01T00:00:00.000000Z\n"),
        "{printed}"
    );
    assert_eq!(
        said,
        "the run was pruned: its 2 events are gone, this is what is left\n"
    );
    let (printed, _) = shown(&store, &["old", "--tenant", "acme", "--json"])
        .await
        .unwrap();
    let object: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(object["pruned_at"], "2026-12-01T00:00:00.000000Z");
    assert_eq!(object["status"], "Completed");
    assert_eq!(object["attempts"], serde_json::json!([]));
}

#[tokio::test]
async fn a_missing_run_has_a_code_of_its_own() {
    let store = sample::store().await;
    for run in [&["nightly-1"][..], &["nope", "--tenant", "acme"]] {
        let missing = shown(&store, run).await.unwrap_err();
        assert_eq!(missing.exit().code(), 6);
        assert!(missing.to_string().contains("is not there"), "{missing}");
    }
}
