use dvt_adapter_memory::MemoryStore;

use super::*;
use crate::args::OutboxCommand;
use crate::outbox::sample::{outbox, parsed};

async fn did(store: &MemoryStore, more: &[&str]) -> Result<String, Failure> {
    let args = match parsed(&[&["retarget", "--reason", "a\nbus"], more].concat()) {
        OutboxCommand::Retarget(args) => args,
        other => panic!("{other:?}"),
    };
    let (mut console, printed, said) = Console::kept(true);
    let note = OperatorNote::new("ada", &args.reason);
    let exit = replace(store, &args, &note, &mut console).await?;
    assert_eq!((exit, said.text().as_str()), (Exit::Done, ""));
    Ok(printed.text())
}

#[tokio::test]
async fn the_destination_is_replaced_and_a_repetition_answers_the_same() {
    let store = outbox().await;
    store
        .bind_destination(&"stdout:".parse().unwrap())
        .await
        .unwrap();
    let line = ["--from", "stdout:", "--to", "nats://bus/dvt"];
    let first = did(&store, &line).await.unwrap();
    assert_eq!(
        first,
        "the outbox delivers to nats://bus/dvt; retargeted from stdout: by ada at 2026-12-01T02:00:00.000000Z: a bus\n"
    );
    assert_eq!(did(&store, &line).await.unwrap(), first);
    let told = did(&store, &[&line[..], &["--json"]].concat())
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&told).unwrap(),
        serde_json::json!({
            "destination": "nats://bus/dvt",
            "last_retarget": {
                "from": "stdout:", "to": "nats://bus/dvt", "by": "ada", "reason": "a\nbus",
                "at": "2026-12-01T02:00:00.000000Z",
            },
        })
    );
}

#[tokio::test]
async fn a_destination_that_was_always_there_is_told_as_such() {
    let store = outbox().await;
    store
        .bind_destination(&"stdout:".parse().unwrap())
        .await
        .unwrap();
    let told = did(&store, &["--from", "a", "--to", "stdout:"])
        .await
        .unwrap();
    assert_eq!(told, "the outbox delivers to stdout:, and always has\n");
}

#[tokio::test]
async fn another_destination_is_refused_with_the_remedy() {
    let store = outbox().await;
    let refused = did(&store, &["--from", "a", "--to", "b"])
        .await
        .unwrap_err();
    assert_eq!(refused.exit().code(), 4);
    assert_eq!(
        refused.to_string(),
        "the outbox has no destination yet, so there is none to replace: the first relay names it"
    );

    store
        .bind_destination(&"nats://bus/dvt.{run}".parse().unwrap())
        .await
        .unwrap();
    let refused = did(&store, &["--from", "a", "--to", "b"])
        .await
        .unwrap_err();
    assert_eq!(refused.exit().code(), 4);
    assert_eq!(
        refused.to_string(),
        "the outbox delivers to nats://bus/dvt.{run}, not to a: nothing was changed. If that is to be replaced, say \
         --from 'nats://bus/dvt.{run}'"
    );
    let stats = store.stats().await.unwrap();
    assert_eq!(stats.destination.unwrap().as_str(), "nats://bus/dvt.{run}");
    assert_eq!(stats.last_retarget, None);
}
