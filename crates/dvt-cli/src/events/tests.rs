use clap::Parser as _;
use dvt_adapter_memory::MemoryStore;

use super::*;
use crate::args::{Args, Command};
use crate::sample;

fn args(more: &[&str]) -> EventsArgs {
    let args = Args::try_parse_from([&["dvt", "events"], more].concat()).unwrap();
    match args.command {
        Command::Events(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed, and what is said about it.
async fn listed(
    store: &MemoryStore,
    is_terminal: bool,
    more: &[&str],
) -> Result<(String, String), Failure> {
    let (mut console, printed, said) = Console::kept(is_terminal);
    list(store, &args(more), &mut console).await?;
    Ok((printed.text(), said.text()))
}

#[tokio::test]
async fn the_log_comes_in_order_with_all_columns() {
    let store = sample::store().await;
    let (printed, said) = listed(&store, false, &["nightly-1", "--tenant", "acme"])
        .await
        .unwrap();
    let lines: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(
        lines[2][..8],
        [
            "3",
            "StepFailed",
            "load",
            "1",
            "2026-01-02T03:04:03.000000Z",
            r#"{"why": "disk"}"#,
            "2026-12-01T00:00:00.000000Z",
            "1"
        ],
        "the tab in the payload is a blank here"
    );
    assert!(lines.iter().all(|values| values.len() == 9));
    assert_eq!(lines[5][1], "RunCompleted");
    assert_eq!(said, "");
}

#[tokio::test]
async fn objects_are_those_that_a_drain_delivers_without_the_claim() {
    let store = sample::store().await;
    let (printed, _) = listed(&store, false, &["nightly-1", "--tenant", "acme", "--json"])
        .await
        .unwrap();
    let expected: String = sample::drained(&store)
        .await
        .replace(",\"claim_no\":1", "")
        .split_inclusive('\n')
        .filter(|line| line.contains(r#""tenant_id":"acme","run_id":"nightly-1""#))
        .collect();
    assert_eq!(printed.lines().count(), 6);
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn a_piece_of_the_log_tells_how_to_go_on() {
    let store = sample::store().await;
    let run = ["nightly-1", "--tenant", "acme"];
    let seqs = |printed: String| -> Vec<String> {
        printed
            .lines()
            .filter_map(|line| Some(line.split('\t').next()?.to_owned()))
            .collect()
    };
    let (printed, said) = listed(
        &store,
        false,
        &[&run[..], &["--after", "1", "--limit", "2"]].concat(),
    )
    .await
    .unwrap();
    assert_eq!(seqs(printed), ["2", "3"]);
    assert_eq!(said, "the log has 6 events: go on with --after 3\n");

    let (printed, said) = listed(
        &store,
        false,
        &[&run[..], &["--after", "3", "--limit", "3"]].concat(),
    )
    .await
    .unwrap();
    assert_eq!(seqs(printed), ["4", "5", "6"]);
    assert_eq!(said, "");

    let (printed, said) = listed(&store, false, &[&run[..], &["--after", "6"]].concat())
        .await
        .unwrap();
    assert_eq!(printed, "");
    assert_eq!(said, "no events after 6: the log has 6 events\n");
}

#[tokio::test]
async fn a_log_of_many_pages_comes_whole_and_once() {
    let store = MemoryStore::new();
    let lines: Vec<_> = (1..=2_500)
        .map(|number| {
            let key = format!(r#","idempotency_key":"{number}""#);
            sample::line("default", "long", "Custom", 0, &key)
        })
        .collect();
    sample::fill(&store, &lines).await;
    for (limit, expected) in [("9999", 2_500), ("1001", 1_001)] {
        let (printed, _) = listed(&store, false, &["long", "--limit", limit])
            .await
            .unwrap();
        let seqs: Vec<u64> = printed
            .lines()
            .map(|line| line.split('\t').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(seqs, (1..=expected).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_terminal_gets_a_table() {
    let store = sample::store().await;
    let (printed, said) = listed(&store, true, &["nightly-1", "--tenant", "beta"])
        .await
        .unwrap();
    assert_eq!(
        printed.lines().next(),
        Some(
            "seq  event       step  attempt  emitted               payload  persisted             engine attempt"
        )
        .filter(|_| printed.lines().count() == 3)
    );
    assert_eq!(said, "too narrow for: idempotency key\n");
}

#[tokio::test]
async fn runs_without_events_are_told_apart() {
    let store = sample::store().await;
    let (printed, said) = listed(&store, false, &["old", "--tenant", "acme"])
        .await
        .unwrap();
    assert_eq!(printed, "");
    assert_eq!(
        said,
        "the run was pruned at 2026-12-01T00:00:00.000000Z: its 2 events are gone\n"
    );

    let missing = listed(&store, false, &["nightly-2", "--tenant", "beta"])
        .await
        .unwrap_err();
    assert_eq!(missing.exit().code(), 6);
    assert!(
        missing
            .to_string()
            .starts_with(r#"run "nightly-2" of tenant "beta" is not there"#),
        "{missing}"
    );
}
