use clap::Parser as _;
use dvt_adapter_memory::{ManualClock, MemoryStore};

use super::*;
use crate::args::{Args, Command};
use crate::sample;

/// Thirty days after the sample's runs were persisted, and a second.
const NOW: &str = "2026-12-31T00:00:01Z";

fn args(more: &[&str]) -> PruneArgs {
    let args = Args::try_parse_from([&["dvt", "prune", "--older-than"], more].concat()).unwrap();
    match args.command {
        Command::Prune(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed, and what is said about it.
async fn pruned(store: &MemoryStore, more: &[&str]) -> Result<(String, String), Failure> {
    let (mut console, printed, said) = Console::kept(false);
    run(store, &args(more), NOW.parse().unwrap(), &mut console).await?;
    Ok((printed.text(), said.text()))
}

/// The runs with what is left of each.
async fn left(store: &MemoryStore) -> Vec<(String, bool)> {
    let mut left = Vec::new();
    let mut runs = EveryRun::of(None);
    loop {
        let page = runs.next_page(store).await.unwrap();
        if page.is_empty() {
            return left;
        }
        left.extend(
            page.iter()
                .map(|record| (record.run.to_string(), record.pruned_at.is_some())),
        );
    }
}

#[tokio::test]
async fn nothing_is_pruned_unless_told() {
    let store = sample::store().await;
    sample::drained(&store).await;
    let before = left(&store).await;

    let (printed, said) = pruned(&store, &["30d"]).await.unwrap();

    assert_eq!(
        printed,
        "acme\tnightly-1\tCompleted\t6\t2026-12-01T00:00:00.000000Z\twould be pruned\n\
         beta\tnightly-1\tFailed\t2\t2026-12-01T00:00:00.000000Z\twould be pruned\n"
    );
    assert_eq!(
        said,
        "2 runs with 8 events would be pruned: --yes prunes them\n"
    );
    assert_eq!(left(&store).await, before);
    let (printed, said) = pruned(&store, &["31d"]).await.unwrap();
    assert_eq!(
        (printed.as_str(), said.as_str()),
        ("", "0 runs with 0 events would be pruned\n")
    );
}

#[tokio::test]
async fn only_ended_and_delivered_runs_go_and_a_tombstone_stays() {
    let store = sample::store().await;

    let (printed, said) = pruned(&store, &["30d", "--yes"]).await.unwrap();
    assert_eq!(printed, "");
    assert_eq!(
        said,
        "0 runs with 0 events pruned\nleft: 2 runs old enough, but with undelivered events: dvt relay delivers them, dvt \
         outbox status tells what is stuck\n"
    );

    sample::drained(&store).await;
    let (printed, said) = pruned(&store, &["30d", "--yes", "--json", "--tenant", "acme"])
        .await
        .unwrap();
    assert_eq!(
        printed,
        "{\"tenant_id\":\"acme\",\"run_id\":\"nightly-1\",\"status\":\"Completed\",\"head\":6,\"ended_at\":\
         \"2026-12-01T00:00:00.000000Z\",\"pruned\":true}\n"
    );
    assert_eq!(said, "1 run with 6 events pruned\n");
    let expected = [
        ("acme/nightly-1", true),
        ("acme/nightly-2", false),
        ("acme/old", true),
        ("beta/nightly-1", false),
    ];
    assert_eq!(
        left(&store).await,
        expected.map(|(run, pruned)| (run.to_owned(), pruned))
    );
    // Once more finds nothing more.
    let (printed, said) = pruned(&store, &["30d", "--yes", "--tenant", "acme"])
        .await
        .unwrap();
    assert_eq!(
        (printed.as_str(), said.as_str()),
        ("", "0 runs with 0 events pruned\n")
    );
}

#[tokio::test]
async fn a_late_event_keeps_a_run_young() {
    let clock = ManualClock::at(sample::PERSISTED_AT.parse().unwrap());
    let store = MemoryStore::with_clock(clock.clone());
    let run = |event, second| sample::line("acme", "a", event, second, "");
    sample::fill(&store, &[run("RunStarted", 0), run("RunCompleted", 1)]).await;
    clock.advance(std::time::Duration::from_secs(3_600));
    sample::fill(&store, &[run("Noted", 2)]).await;
    sample::drained(&store).await;

    let (printed, _) = pruned(&store, &["30d"]).await.unwrap();
    assert_eq!(printed, "");
    let (printed, _) = pruned(&store, &["29d 22h"]).await.unwrap();
    assert_eq!(printed.lines().count(), 1);
}

#[tokio::test]
async fn what_is_pruned_is_in_the_file_first_and_can_be_recorded_again() {
    let store = MemoryStore::with_clock(ManualClock::at(sample::PERSISTED_AT.parse().unwrap()));
    let runs = 250;
    let lines: Vec<_> = (0..runs)
        .flat_map(|number| {
            let run = format!("run-{number}");
            [
                sample::line("acme", &run, "RunStarted", 0, ""),
                sample::line("acme", &run, "RunCompleted", 1, ""),
            ]
        })
        .collect();
    sample::fill(&store, &lines).await;
    sample::drained(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pruned.ndjson");
    let told = file.to_str().unwrap();

    let (printed, said) = pruned(&store, &["30d", "--yes", "--export", told])
        .await
        .unwrap();

    assert_eq!(printed.lines().count(), runs);
    assert_eq!(said, "250 runs with 500 events pruned\n");
    let exported = std::fs::read_to_string(&file).unwrap();
    let again = MemoryStore::new();
    let lines: Vec<_> = exported.split_inclusive('\n').map(str::to_owned).collect();
    sample::fill(&again, &lines).await;
    assert_eq!(left(&again).await.len(), runs);

    // A file that is there is not written over, and nothing is pruned.
    let other = sample::store().await;
    sample::drained(&other).await;
    let refused = pruned(&other, &["30d", "--yes", "--export", told])
        .await
        .unwrap_err();
    assert_eq!(refused.exit(), Exit::Output);
    assert!(
        refused.to_string().contains("is there already"),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
    assert!(
        left(&other)
            .await
            .contains(&("acme/nightly-1".into(), false))
    );
}

#[test]
fn an_export_is_for_what_goes() {
    let refused =
        Args::try_parse_from(["dvt", "prune", "--older-than", "1d", "--export", "a.ndjson"]);
    assert!(refused.unwrap_err().to_string().contains("--yes"));
}
