use dvt_adapter_memory::MemoryStore;

use super::*;
use crate::args::OutboxCommand;
use crate::outbox::sample::{assert_refused, outbox, parked, parsed};

fn args(more: &[&str]) -> DeadLettersArgs {
    match parsed(&[&["dead-letters"], more].concat()) {
        OutboxCommand::DeadLetters(args) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed, and what is said about it.
async fn listed(store: &MemoryStore, more: &[&str], is_terminal: bool) -> (String, String) {
    let (mut console, printed, said) = Console::kept(is_terminal);
    let exit = list(store, &args(more), &mut console).await.unwrap();
    assert_eq!(exit, Exit::Done);
    (printed.text(), said.text())
}

/// Run and number of each line.
fn letters(printed: &str) -> Vec<String> {
    let letter = |line: &str| {
        let values: Vec<_> = line.split('\t').collect();
        format!("{}/{}", values[1], values[2])
    };
    printed.lines().map(letter).collect()
}

#[tokio::test]
async fn programs_get_all_columns() {
    let (printed, said) = listed(&outbox().await, &[], false).await;
    let expected = [
        "lab\tmended\t1\t1\t1\tattempts_exhausted\tretried\t2026-12-01T02:00:00.000000Z\t400",
        "lab\tmended\t2\t1\t1\tattempts_exhausted\tskipped\t2026-12-01T02:00:00.000000Z\t400 again",
        "shop\tpoison\t1\t2\t1\tattempts_exhausted\topen\t2026-12-01T00:00:00.000000Z\t\u{fffd}[2Jrefused: 400 bad \u{fffd}31mdate",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(said, "");
}

#[tokio::test]
async fn a_terminal_gets_nothing_that_moves_its_cursor() {
    let (printed, said) = listed(&outbox().await, &["--open"], true).await;
    let expected = "\
tenant  run     no  seq  attempts  cause     state  error
shop    poison   1    2         1  attempts  open   \u{fffd}[2Jrefused: 400 bad \u{fffd}31mdate
";
    assert_eq!(printed, expected);
    assert_eq!(said, "too narrow for: dead at\n");
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
        objects[1],
        serde_json::json!({
            "tenant_id": "lab", "run_id": "mended", "dead_letter_no": 2, "run_seq": 1, "attempts": 1,
            "cause": "attempts_exhausted", "state": "skipped", "error": "400 again",
            "dead_at": "2026-12-01T02:00:00.000000Z",
            "resolution": {"by": "bob", "reason": "never valid", "at": "2026-12-01T02:00:00.000000Z"},
        })
    );
    assert_eq!(objects[0]["state"], "retried");
    assert_eq!(objects[0]["resolution"]["by"], "ada");
    assert_eq!(objects[2]["resolution"], serde_json::Value::Null);
    assert_eq!(
        objects[2]["error"],
        "\u{1b}[2Jrefused:\t400\nbad \u{9b}31mdate"
    );
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let store = outbox().await;
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--open"], &["poison/1"]),
        (&["--tenant", "lab"], &["mended/1", "mended/2"]),
        (&["--tenant", "lab", "--open"], &[]),
        (
            &["--tenant", "lab", "--run", "mended"],
            &["mended/1", "mended/2"],
        ),
        (&["--tenant", "lab", "--run", "a"], &[]),
        (&["--tenant", "shop", "--run", "poison"], &["poison/1"]),
    ];
    for (filter, expected) in cases {
        let (printed, said) = listed(&store, filter, false).await;
        assert_eq!(letters(&printed), expected, "{filter:?}");
        let nothing = if expected.is_empty() {
            "no dead letters\n"
        } else {
            ""
        };
        assert_eq!(said, nothing, "{filter:?}");
    }
}

#[tokio::test]
async fn a_long_list_comes_whole_and_once() {
    let store = MemoryStore::new();
    parked(&store, "t", 2_500).await;
    let expected: Vec<_> = (0..2_500).map(|number| format!("r{number:05}/1")).collect();

    let (printed, said) = listed(&store, &["--all"], false).await;
    assert_eq!(letters(&printed), expected);
    assert_eq!(said, "");
    for limit in ["1000", "1001"] {
        let (printed, said) = listed(&store, &["--limit", limit], false).await;
        assert_eq!(letters(&printed), expected[..limit.parse().unwrap()]);
        assert_eq!(said, "there are more: list --all, or a greater --limit\n");
    }
    let (printed, said) = listed(&store, &["--limit", "2500", "--open"], false).await;
    assert_eq!(letters(&printed), expected);
    assert_eq!(said, "", "exactly as many as there are is all");
}

#[test]
fn command_lines_that_mean_nothing_are_refused() {
    assert_refused(&[
        &["dead-letters", "--run", "r"],
        &["dead-letters", "--limit", "0"],
        &["dead-letters", "--limit", "5", "--all"],
    ]);
}
