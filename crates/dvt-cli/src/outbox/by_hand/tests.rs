use dvt_adapter_memory::MemoryStore;
use dvt_contracts::OutboxStorage as _;

use super::*;
use crate::args::OutboxCommand;
use crate::outbox::sample::{assert_refused, fail, outbox, parsed, record};

/// Does what a command line asks for, by `ada`.
async fn did(store: &MemoryStore, line: &[&str]) -> Result<String, Failure> {
    let note = |reason: &str| OperatorNote::new("ada", reason);
    let (mut console, printed, said) = Console::kept(true);
    let exit = match parsed(line) {
        OutboxCommand::Retry(args) => {
            let run = args.run.clone().unwrap();
            retry(store, &run, &args, &note(&args.reason), &mut console).await
        }
        OutboxCommand::Skip(args) => skip(store, &args, &note(&args.reason), &mut console).await,
        OutboxCommand::Park(args) => park(store, &args, &note(&args.reason), &mut console).await,
        other => panic!("{other:?}"),
    };
    assert_eq!((exit?, said.text().as_str()), (Exit::Done, ""));
    Ok(printed.text())
}

/// The exit code and the message of a refusal, which changes nothing.
async fn refused(store: &MemoryStore, line: &[&str]) -> (u8, String) {
    let before = store.stats().await.unwrap();
    let failure = did(store, line).await.unwrap_err();
    assert_eq!(store.stats().await.unwrap(), before, "{line:?}");
    (failure.exit().code(), failure.to_string())
}

#[tokio::test]
async fn a_retry_takes_the_open_letter_and_answers_the_same_again() {
    let store = outbox().await;
    let line = [
        "retry",
        "poison",
        "--tenant",
        "shop",
        "--reason",
        "400\u{9b} is mended",
    ];
    let first = did(&store, &line).await.unwrap();
    assert_eq!(
        first,
        "dead letter 1 of run shop/poison (event 2) retried by ada at 2026-12-01T02:00:00.000000Z: \
         400\u{fffd} is mended\n"
    );
    let after = store.stats().await.unwrap();
    assert_eq!((after.parked_runs, after.due_runs), (0, 2));

    assert_eq!(did(&store, &line).await.unwrap(), first);
    let numbered = ["retry", "poison", "--tenant", "shop", "--no", "1"];
    assert_eq!(did(&store, &numbered).await.unwrap(), first);
    assert_eq!(store.stats().await.unwrap(), after);
}

#[tokio::test]
async fn a_retry_takes_the_last_of_many() {
    let store = MemoryStore::new();
    record(&store, "default", "r", 1).await;
    for _ in 0..40 {
        fail(&store, 1, "no", 1).await;
        let told = did(&store, &["retry", "r"]).await.unwrap();
        assert!(told.contains(" retried by "), "{told}");
    }
    fail(&store, 1, "no", 1).await;
    let told = did(&store, &["retry", "r"]).await.unwrap();
    assert!(
        told.starts_with("dead letter 41 of run default/r "),
        "{told}"
    );
    assert!(told.ends_with(": retry\n"), "{told}");
}

#[tokio::test]
async fn a_skip_names_its_letter_and_answers_the_same_again() {
    let store = outbox().await;
    let line = [
        "skip",
        "poison",
        "--tenant",
        "shop",
        "--no",
        "1",
        "--reason",
        "never valid",
    ];
    let first = did(&store, &line).await.unwrap();
    assert_eq!(
        first,
        "dead letter 1 of run shop/poison (event 2) skipped by ada at 2026-12-01T02:00:00.000000Z: never valid\n"
    );
    let after = store.stats().await.unwrap();
    assert_eq!((after.parked_runs, after.skipped_events), (0, 2));
    assert_eq!(did(&store, &line).await.unwrap(), first);
    assert_eq!(store.stats().await.unwrap(), after);
}

#[tokio::test]
async fn parking_answers_with_the_letter_that_parks() {
    let store = outbox().await;
    let line = ["park", "taken", "--tenant", "lab", "--reason", "floods us"];
    let first = did(&store, &line).await.unwrap();
    assert_eq!(
        first,
        "run lab/taken is parked since 2026-12-01T02:00:00.000000Z by dead letter 1 (event 1): ada: floods us\n"
    );
    let after = store.stats().await.unwrap();
    assert_eq!((after.parked_runs, after.leased_runs), (2, 0));
    assert_eq!(did(&store, &line).await.unwrap(), first);
    assert_eq!(store.stats().await.unwrap(), after);

    let nasty = ["park", "poison", "--tenant", "shop", "--reason", "x"];
    let told = did(&store, &nasty).await.unwrap();
    assert!(!told.trim_end().contains(char::is_control), "{told:?}");
}

#[tokio::test]
async fn objects_are_those_of_the_list() {
    let store = outbox().await;
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let retried = did(&store, &["retry", "poison", "--tenant", "shop", "--json"]).await;
    assert_eq!(
        json(retried.unwrap()),
        serde_json::json!({
            "tenant_id": "shop", "run_id": "poison", "dead_letter_no": 1, "run_seq": 2, "attempts": 1,
            "cause": "attempts_exhausted", "state": "retried",
            "error": "\u{1b}[2Jrefused:\t400\nbad \u{9b}31mdate", "dead_at": "2026-12-01T00:00:00.000000Z",
            "resolution": {"by": "ada", "reason": "retry", "at": "2026-12-01T02:00:00.000000Z"},
        })
    );
    let parked = [
        "park", "poison", "--tenant", "shop", "--reason", "w", "--json",
    ];
    let parked = json(did(&store, &parked).await.unwrap());
    assert_eq!(parked["dead_letter_no"], 2);
    assert_eq!(parked["cause"], "parked_by_operator");
    assert_eq!(parked["error"], "ada: w");
    assert_eq!(parked["resolution"], serde_json::Value::Null);
    let skipped = [
        "skip", "poison", "--tenant", "shop", "--no", "2", "--reason", "w", "--json",
    ];
    assert_eq!(
        json(did(&store, &skipped).await.unwrap())["state"],
        "skipped"
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_with_the_way_to_it() {
    let store = outbox().await;
    for line in [
        &["retry", "poison"][..],
        &["retry", "poison", "--no", "1"],
        &["skip", "poison", "--no", "1", "--reason", "w"],
        &["park", "poison", "--reason", "w"],
    ] {
        let (code, message) = refused(&store, line).await;
        assert_eq!(code, 6, "{line:?}");
        assert!(
            message.starts_with("run \"poison\" of tenant \"default\" is not there: dvt runs"),
            "{message}"
        );
    }
    assert_eq!(
        refused(&store, &["skip", "poison", "--tenant", "shop", "--no", "2", "--reason", "w"]).await,
        (
            6,
            "run \"poison\" of tenant \"shop\" has no dead letter 2: dvt outbox dead-letters --tenant shop --run poison \
             lists those that it has"
                .to_owned()
        )
    );
    assert_eq!(
        refused(&store, &["retry", "slow", "--tenant", "shop"]).await,
        (
            6,
            "run \"slow\" of tenant \"shop\" has no dead letters: dvt outbox status --runs --tenant shop tells what its runs \
             wait for"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_remedy() {
    let store = outbox().await;
    for line in [
        &["retry", "mended", "--tenant", "lab"][..],
        &["retry", "mended", "--tenant", "lab", "--no", "2"],
    ] {
        let (code, message) = refused(&store, line).await;
        assert_eq!(code, 4);
        assert_eq!(
            message,
            "dead letter 2 of run \"mended\" of tenant \"lab\" was skipped before: that stands, its event is never \
             delivered. It stays in the log: dvt events mended --tenant lab"
        );
    }
    let (code, message) = refused(
        &store,
        &[
            "skip", "mended", "--tenant", "lab", "--no", "1", "--reason", "w",
        ],
    )
    .await;
    assert_eq!(code, 4);
    assert!(
        message.ends_with("dvt outbox park mended --tenant lab --reason TEXT"),
        "{message}"
    );
    crate::sample::drained(&store).await;
    let (code, message) = refused(
        &store,
        &["park", "mended", "--tenant", "lab", "--reason", "w"],
    )
    .await;
    assert_eq!(
        (code, message.as_str()),
        (
            4,
            "run \"mended\" of tenant \"lab\" is delivered up to its head 3: there is nothing to park before its next event"
        )
    );
}

#[test]
fn command_lines_that_mean_nothing_are_refused() {
    let long = "x".repeat(8 * 1024 + 1);
    assert_refused(&[
        &["retry"],
        &["retry", "r", "--all"],
        &["retry", "r", "--limit", "5"],
        &["retry", "--all", "--no", "1"],
        &["retry", "--all", "--limit", "0"],
        &["retry", "r", "--no", "0"],
        &["skip", "r", "--reason", "w"],
        &["skip", "r", "--no", "1"],
        &["skip", "r", "--no", "1", "--reason", " "],
        &["skip", "r", "--no", "1", "--reason", &long],
        &["park", "r"],
        &["park", "r", "--reason", "w", "--by", ""],
        &["retarget", "--from", "a", "--to", "b"],
        &["retarget", "--from", "a", "--to", "", "--reason", "w"],
    ]);
}
