use dvt_adapter_memory::MemoryStore;

use super::*;
use crate::args::OutboxCommand;
use crate::outbox::sample::{NOW, outbox, parked, parsed, record};

fn args(more: &[&str]) -> StatusArgs {
    match parsed(&[&["status", "--runs"], more].concat()) {
        OutboxCommand::Status(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed, and what is said about it.
async fn listed(store: &MemoryStore, more: &[&str], is_terminal: bool) -> (String, String) {
    let (mut console, printed, said) = Console::kept(is_terminal);
    let now = NOW.parse().unwrap();
    let exit = list(store, &args(more), now, &mut console).await.unwrap();
    assert_eq!(exit, Exit::Done);
    (printed.text(), said.text())
}

/// The run of each line.
fn runs(printed: &str) -> Vec<&str> {
    let lines = printed.lines();
    lines.map(|line| line.split('\t').nth(1).unwrap()).collect()
}

#[tokio::test]
async fn programs_get_all_columns() {
    let (printed, said) = listed(&outbox().await, &[], false).await;
    let expected = [
        "lab\tmended\tdue\t2\t0\t2026-12-01T02:00:00.000000Z\t\t\t1\t3\t2\t0",
        "lab\ttaken\tleased\t2\t0\t2026-12-01T02:00:00.000000Z\t\t2026-12-01T02:01:00.000000Z\t0\t2\t1\t1",
        "shop\tpoison\tparked\t2\t1\t2026-12-01T00:00:00.000000Z\t\u{fffd}[2Jrefused: 400 bad \u{fffd}31mdate\t\t1\t3\t1\t0",
        "shop\tslow\tbacking_off\t1\t1\t2026-12-01T02:00:00.000000Z\t503\t2026-12-01T02:01:00.000000Z\t0\t1\t1\t0",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(said, "");
}

#[tokio::test]
async fn a_terminal_gets_ages_and_nothing_that_moves_its_cursor() {
    let (printed, said) = listed(&outbox().await, &["--tenant", "shop"], true).await;
    let expected = "\
tenant  run     state        undelivered  attempts  age       error
shop    poison  parked                 2         1  2 h 00 m  \u{fffd}[2Jrefused: 400 bad \u{fffd}31mdate
shop    slow    backing_off            1         1  0 µs      503
";
    assert_eq!(printed, expected);
    assert_eq!(
        said,
        "too narrow for: until, delivered, head, claim, unfinished claims\n"
    );
}

#[tokio::test]
async fn objects_have_stable_names() {
    let (printed, _) = listed(&outbox().await, &["--json"], true).await;
    assert!(!printed.contains(|c: char| c.is_control() && c != '\n'));
    let objects: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        objects[2],
        serde_json::json!({
            "tenant_id": "shop", "run_id": "poison", "state": "parked", "until": null,
            "parked_since": "2026-12-01T00:00:00.000000Z", "dead_letter_no": 1, "delivered_seq": 1, "head": 3,
            "pending_since": "2026-12-01T00:00:00.000000Z", "attempts": 1,
            "last_error": "\u{1b}[2Jrefused:\t400\nbad \u{9b}31mdate", "claim_no": 1, "unfinished_claims": 0,
        })
    );
    assert_eq!(objects[3]["until"], "2026-12-01T02:01:00.000000Z");
    assert_eq!(objects[0]["last_error"], serde_json::Value::Null);
    assert_eq!(objects.len(), 4);
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let store = outbox().await;
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--state", "due"], &["mended"]),
        (&["--state", "leased"], &["taken"]),
        (&["--state", "backing-off"], &["slow"]),
        (&["--state", "parked"], &["poison"]),
        (&["--tenant", "lab"], &["mended", "taken"]),
        (&["--tenant", "lab", "--state", "parked"], &[]),
    ];
    for (filter, expected) in cases {
        let (printed, said) = listed(&store, filter, false).await;
        assert_eq!(runs(&printed), expected, "{filter:?}");
        let nothing = if expected.is_empty() { "no runs\n" } else { "" };
        assert_eq!(said, nothing, "{filter:?}");
    }
}

#[tokio::test]
async fn a_long_list_comes_whole_and_once() {
    let store = MemoryStore::new();
    parked(&store, "t", 2_500).await;
    record(&store, "t", "z", 1).await;
    let expected: Vec<_> = (0..2_500).map(|number| format!("r{number:05}")).collect();

    let (printed, said) = listed(&store, &["--all", "--state", "parked"], false).await;
    assert_eq!(runs(&printed), expected);
    assert_eq!(said, "");
    for limit in ["1000", "1001"] {
        let (printed, said) = listed(&store, &["--limit", limit], false).await;
        assert_eq!(runs(&printed), expected[..limit.parse().unwrap()]);
        assert_eq!(said, "there are more: list --all, or a greater --limit\n");
    }
    let (printed, said) = listed(&store, &[], false).await;
    assert_eq!(printed.lines().count(), 100);
    assert!(said.starts_with("there are more"), "{said}");
    let (printed, said) = listed(&store, &["--limit", "2500", "--state", "parked"], false).await;
    assert_eq!(runs(&printed), expected);
    assert_eq!(said, "", "exactly as many as there are is all");
    let (printed, _) = listed(&store, &["--state", "due", "--limit", "1"], false).await;
    assert_eq!(runs(&printed), ["z"], "behind pages of others");
}
