use dvt_adapter_memory::MemoryStore;
use dvt_contracts::{OperatorNote, OutboxStorage as _};

use super::*;
use crate::args::OutboxCommand;
use crate::outbox::sample::{assert_refused, outbox, parsed};

fn args(more: &[&str]) -> StatusArgs {
    match parsed(&[&["status"], more].concat()) {
        OutboxCommand::Status(args) => args,
        other => panic!("{other:?}"),
    }
}

async fn told(store: &MemoryStore, more: &[&str], is_terminal: bool) -> String {
    let (mut console, printed, said) = Console::kept(is_terminal);
    let exit = tell(store, &args(more), &mut console).await.unwrap();
    assert_eq!((exit, said.text().as_str()), (Exit::Done, ""));
    printed.text()
}

async fn retargeted() -> MemoryStore {
    let store = outbox().await;
    let [from, to] = ["stdout:", "nats://bus/dvt"].map(|name| name.parse().unwrap());
    store.bind_destination(&from).await.unwrap();
    let note = OperatorNote::new("ada", "bus\n\u{1b}[2J");
    store.retarget(&from, &to, &note).await.unwrap();
    store
}

#[tokio::test]
async fn a_terminal_gets_the_numbers_that_are_there() {
    let expected = "\
destination    nats://bus/dvt
last retarget  from stdout: by ada at 2026-12-01T02:00:00.000000Z: bus \u{fffd}[2J
due            1 run
leased         1 run
backing off    1 run
parked         1 run
pending        6 events
oldest waits   2 h 00 m
dead letters   3, 1 open
skipped        1 event
";
    assert_eq!(told(&retargeted().await, &[], true).await, expected);

    let expected = "\
destination    none yet
due            0 runs
leased         0 runs
backing off    0 runs
parked         0 runs
pending        0 events
oldest waits   none
dead letters   0
skipped        0 events
";
    assert_eq!(told(&MemoryStore::new(), &[], true).await, expected);
}

#[tokio::test]
async fn programs_get_names_and_values() {
    let expected = "\
destination\tnats://bus/dvt
due_runs\t1
leased_runs\t1
backing_off_runs\t1
parked_runs\t1
pending_events\t6
oldest_pending_age_seconds\t7200
dead_letters\t3
open_dead_letters\t1
skipped_events\t1
retargeted_from\tstdout:
retargeted_by\tada
retargeted_at\t2026-12-01T02:00:00.000000Z
retargeted_reason\tbus \u{fffd}[2J
";
    assert_eq!(told(&retargeted().await, &[], false).await, expected);

    let nothing = told(&MemoryStore::new(), &[], false).await;
    assert!(
        nothing.starts_with("destination\t\ndue_runs\t0\n"),
        "{nothing}"
    );
    assert!(nothing.ends_with("retargeted_reason\t\n"), "{nothing}");
}

#[tokio::test]
async fn the_object_has_stable_names() {
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    assert_eq!(
        json(told(&retargeted().await, &["--json"], false).await),
        serde_json::json!({
            "destination": "nats://bus/dvt", "due_runs": 1, "leased_runs": 1, "backing_off_runs": 1, "parked_runs": 1,
            "pending_events": 6, "oldest_pending_age_seconds": 7200.0, "dead_letters": 3, "open_dead_letters": 1,
            "skipped_events": 1,
            "last_retarget": {
                "from": "stdout:", "to": "nats://bus/dvt", "by": "ada", "reason": "bus\n\u{1b}[2J",
                "at": "2026-12-01T02:00:00.000000Z",
            },
        })
    );
    let nothing = json(told(&MemoryStore::new(), &["--json"], true).await);
    for name in ["destination", "oldest_pending_age_seconds", "last_retarget"] {
        assert_eq!(nothing[name], serde_json::Value::Null, "{name}");
    }
}

#[test]
fn what_narrows_runs_is_refused_without_them() {
    assert_refused(&[
        &["status", "--tenant", "shop"],
        &["status", "--state", "due"],
        &["status", "--all"],
        &["status", "--limit", "5"],
        &["status", "--runs", "--limit", "0"],
        &["status", "--runs", "--limit", "5", "--all"],
        &["status", "--runs", "--state", "dead"],
    ]);
}
