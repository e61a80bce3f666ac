use dvt_adapter_memory::MemoryStore;
use dvt_contracts::OutboxStats;

use super::*;
use crate::args::OutboxCommand;
use crate::console::Page;
use crate::outbox::sample::{outbox, parked, parsed};
use crate::sample::key;

fn args(more: &[&str]) -> RetryArgs {
    match parsed(&[&["retry", "--all"], more].concat()) {
        OutboxCommand::Retry(args) => args,
        other => panic!("{other:?}"),
    }
}

fn note() -> OperatorNote {
    OperatorNote::new("ada", "mended")
}

async fn retried(store: &MemoryStore, more: &[&str]) -> String {
    let (mut console, printed, said) = Console::kept(false);
    let store: Arc<dyn OutboxStorage> = Arc::new(store.clone());
    let exit = command(store, &args(more), note(), &mut console).await;
    assert_eq!((exit.unwrap(), said.text().as_str()), (Exit::Done, ""));
    printed.text()
}

/// Parked runs, dead letters and due runs.
fn counts(stats: &OutboxStats) -> [u64; 3] {
    [stats.parked_runs, stats.dead_letters, stats.due_runs]
}

#[tokio::test]
async fn all_open_letters_are_retried_once() {
    let store = MemoryStore::new();
    parked(&store, "a", 1_500).await;
    parked(&store, "b", 1_000).await;

    assert_eq!(retried(&store, &[]).await, "2,500 dead letters retried\n");

    assert_eq!(counts(&store.stats().await.unwrap()), [0, 2_500, 2_500]);
    let query = DeadLetterQuery::default();
    for letter in store.list_dead_letters(&query).await.unwrap() {
        assert_eq!(letter.resolution.unwrap().note, note());
    }
    assert_eq!(retried(&store, &[]).await, "no dead letters are open\n");
}

#[tokio::test]
async fn a_tenant_or_a_limit_leaves_the_others() {
    let store = outbox().await;
    parked(&store, "a", 1_200).await;
    assert_eq!(
        retried(&store, &["--tenant", "shop"]).await,
        "1 dead letter retried\n"
    );
    assert_eq!(counts(&store.stats().await.unwrap())[0], 1_200);
    assert_eq!(
        retried(&store, &["--limit", "1100"]).await,
        "1,100 dead letters retried\n"
    );
    assert_eq!(counts(&store.stats().await.unwrap())[0], 100);
}

#[tokio::test]
async fn an_event_that_dies_again_at_once_is_not_tried_again() {
    let store = MemoryStore::new();
    // A full page, so that there is a next one to look at.
    parked(&store, "a", 1_000).await;
    let last = key("a", "r00999");
    let dies = async {
        loop {
            store.park_run(&last, &note()).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::select! {
        told = retried(&store, &[]) => told,
        () = dies => String::new(),
    };
    assert_eq!(told, "1,000 dead letters retried\n");
}

#[tokio::test]
async fn the_summary_is_one_object() {
    let store = outbox().await;
    let told = retried(&store, &["--json"]).await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&told).unwrap(),
        serde_json::json!({"complete": true, "retried": 1, "resolved_by_others": 0})
    );
}

#[tokio::test]
async fn a_terminal_sees_a_line_that_goes_away() {
    let store = MemoryStore::new();
    parked(&store, "a", 10).await;
    let (out, printed) = Page::kept(true, 80);
    let (err, _said) = Page::kept(true, 80);
    let mut console = Console { out, err };
    let store: Arc<dyn OutboxStorage> = Arc::new(store);
    command(store, &args(&[]), note(), &mut console)
        .await
        .unwrap();
    assert_eq!(printed.text(), "10 dead letters retried\n");
}

#[test]
fn what_others_did_and_what_is_left_is_told() {
    let tally = Tally {
        complete: true,
        retried: 0,
        resolved_by_others: 2,
    };
    assert_eq!(
        tally.words(),
        "0 dead letters retried, 2 resolved by others meanwhile"
    );
    let tally = Tally {
        complete: false,
        retried: 1_234,
        resolved_by_others: 0,
    };
    assert_eq!(
        tally.words(),
        "1,234 dead letters retried; not all: repeat the command for the rest"
    );
}
