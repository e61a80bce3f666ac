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
    list(store, &mut Log::new(&args(more)), &mut console).await?;
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

/// What a follower prints while `others` append, until `stop` or its own end.
async fn followed(
    store: &MemoryStore,
    more: &[&str],
    others: impl Future<Output = ()>,
) -> (Exit, String, String) {
    let (mut console, printed, said) = Console::kept(false);
    let mut log = Log::new(&args(more));
    let stop = std::future::pending();
    let (exit, ()) = tokio::join!(
        follow::run(store, None, &mut log, &mut console, stop),
        others
    );
    (exit.unwrap(), printed.text(), said.text())
}

fn numbered(from: u64, to: u64) -> Vec<String> {
    (from..=to)
        .map(|number| {
            let key = format!(r#","idempotency_key":"{number}""#);
            sample::line("default", "long", "Custom", 0, &key)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_follower_prints_each_event_once_as_it_comes() {
    let store = MemoryStore::new();
    sample::fill(&store, &numbered(1, 1_500)).await;
    let others = async {
        for from in (1_501..2_500).step_by(100) {
            tokio::time::sleep(std::time::Duration::from_millis(170)).await;
            sample::fill(&store, &numbered(from, from + 99)).await;
        }
    };

    let (exit, printed, said) = followed(
        &store,
        &["long", "--after", "10", "--limit", "2490"],
        others,
    )
    .await;

    assert_eq!(exit, Exit::Done);
    let seqs: Vec<u64> = printed
        .lines()
        .map(|line| line.split('\t').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(seqs, (11..=2_500).collect::<Vec<_>>());
    assert_eq!(said, "");
}

#[tokio::test(start_paused = true)]
async fn a_prune_ends_what_follows() {
    let store = sample::store().await;
    let others = async {
        sample::drained(&store).await;
        let run = sample::key("acme", "nightly-1");
        dvt_contracts::RunStateStore::prune_run(&store, &run)
            .await
            .unwrap();
    };

    let (exit, printed, said) = followed(
        &store,
        &["nightly-1", "--tenant", "acme", "--after", "6"],
        others,
    )
    .await;

    assert_eq!((exit, printed.as_str()), (Exit::Done, ""));
    assert_eq!(
        said,
        "the run was pruned at 2026-12-01T00:00:00.000000Z: its 6 events are gone\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_follower_stops_when_told() {
    let store = sample::store().await;
    let (mut console, printed, _) = Console::kept(false);
    let mut log = Log::new(&args(&["nightly-1", "--tenant", "acme"]));
    let stop = tokio::time::sleep(std::time::Duration::from_secs(60));

    let exit = follow::run(&store, None, &mut log, &mut console, stop).await;

    assert_eq!(exit.unwrap(), Exit::Done);
    assert_eq!(printed.text().lines().count(), 6);
    let mut log = Log::new(&args(&["nightly-2", "--tenant", "beta"]));
    let stop = std::future::pending();
    let missing = follow::run(&store, None, &mut log, &mut console, stop).await;
    assert_eq!(missing.unwrap_err().exit(), Exit::NotFound);
}
