use std::io::{self, Write};

use clap::Parser as _;
use dvt_adapter_memory::MemoryStore;
use dvt_contracts::{
    BootstrapRequest, ClaimRequest, Event, EventType, Jitter, OperatorNote, Payload, RetryPolicy,
    RunMetadata, RunStateStore as _, SafeText,
};

use super::*;
use crate::args::{Args, Command};
use crate::sample;

async fn store(payloads: &[&str]) -> MemoryStore {
    let store = MemoryStore::new();
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    let events = payloads.iter().enumerate().map(|(number, payload)| {
        let event_type: EventType = format!("Custom{number}").parse().unwrap();
        Event::new(
            event_type,
            None,
            format!("key {number}").parse().unwrap(),
            at,
        )
        .unwrap()
        .with_payload(Payload::new(payload).unwrap())
    });
    store
        .bootstrap_run(&BootstrapRequest {
            run: RunKey::new("t".parse().unwrap(), "r \"1\"".parse().unwrap()),
            metadata: RunMetadata {
                project_id: "p".parse().unwrap(),
                environment_id: "e".parse().unwrap(),
                plan_id: "plan".parse().unwrap(),
                plan_version: "1".parse().unwrap(),
            },
            events: events.collect(),
        })
        .await
        .unwrap();
    store
}

/// What a drain prints.
async fn drained(store: &MemoryStore) -> Result<String, Failure> {
    let (mut console, printed, _) = Console::kept(false);
    to_ndjson(Arc::new(store.clone()), &mut console).await?;
    Ok(printed.text())
}

/// Takes some bytes and then fails, as a closed pipe does.
#[derive(Debug)]
struct Pipe {
    room: usize,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.room.checked_sub(bytes.len()) {
            Some(room) => {
                self.room = room;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn everything_due_is_written_in_order_and_acknowledged() {
    let payloads: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    let store = store(&payloads).await;
    let out = drained(&store).await.unwrap();
    let lines: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seqs: Vec<_> = lines
        .iter()
        .map(|line| line["run_seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=1_000).collect::<Vec<_>>());
    assert_eq!(store.stats().await.unwrap().pending_events, 0);

    assert_eq!(drained(&store).await.unwrap(), "");
}

#[tokio::test]
async fn payloads_keep_their_bytes_and_lines_stay_whole() {
    let odd = r#"{"a":1e100000,"a":-0,"s":"\n\u00e9"}"#;
    let broken = "{\n\"a\":\r1}";
    let store = store(&[odd, broken]).await;
    let text = drained(&store).await.unwrap();
    let lines: Vec<_> = text.split_terminator('\n').collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].ends_with(&format!(",\"payload\":{odd}}}")),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].ends_with(r#","payload_text":"{\n\"a\":\r1}"}"#),
        "{}",
        lines[1]
    );
    let first: serde_json::Value =
        serde_json::from_str(&lines[0].replace("1e100000", "1")).unwrap();
    assert_eq!(first["run_id"], "r \"1\"");
    assert_eq!(first["step_id"], serde_json::Value::Null);
    assert_eq!(first["claim_no"], 1);
}

#[tokio::test]
async fn a_closed_pipe_acknowledges_nothing() {
    let store = store(&["1", "2", "3"]).await;
    let (mut console, _, _) = Console::kept(false);
    console.out = Page::to_file(Pipe { room: 500 });
    let failure = to_ndjson(Arc::new(store.clone()), &mut console)
        .await
        .unwrap_err();
    assert!(failure.is_quiet());
    assert_eq!(failure.exit().code(), 5);
    assert_eq!(store.stats().await.unwrap().pending_events, 3);

    // It is due again at once, from the first event.
    assert_eq!(drained(&store).await.unwrap().lines().count(), 3);
}

#[tokio::test]
async fn an_outbox_that_delivers_elsewhere_is_left_alone() {
    let store = store(&["1"]).await;
    store
        .bind_destination(&"nats://bus/runs".parse().unwrap())
        .await
        .unwrap();
    let failure = drained(&store).await.unwrap_err();
    assert_eq!(failure.exit().code(), 4);
    assert!(failure.to_string().contains("nats://bus/runs"), "{failure}");
}

async fn ran(store: &MemoryStore, more: &[&str], console: &mut Console) -> Result<Exit, Failure> {
    let args = Args::try_parse_from([&["dvt", "drain"], more].concat()).unwrap();
    let Command::Drain(args) = args.command else {
        panic!("{args:?}");
    };
    run(
        Arc::new(store.clone()),
        &args,
        console,
        std::future::pending(),
    )
    .await
}

#[tokio::test]
async fn the_command_says_how_much_it_delivered() {
    let store = sample::store().await;
    for (lines, expected) in [(9, "9 events delivered\n"), (0, "nothing is due\n")] {
        let (mut console, printed, said) = Console::kept(false);
        let exit = ran(&store, &["--max-runs", "2"], &mut console)
            .await
            .unwrap();
        assert_eq!(exit, Exit::Done);
        assert_eq!(printed.text().lines().count(), lines);
        assert_eq!(said.text(), expected);
    }
}

#[tokio::test]
async fn the_command_says_why_nothing_is_due() {
    let store = sample::store().await;
    let note = OperatorNote::new("ann", "wait");
    let parked = sample::key("acme", "nightly-1");
    store.park_run(&parked, &note).await.unwrap();
    assert_eq!(said_after(&store, 3).await, "3 events delivered\n");
    assert_eq!(
        said_after(&store, 0).await,
        "nothing is due: 1 run parked\n"
    );

    let more = ["a", "b", "c"].map(|run| sample::line("beta", run, "RunStarted", 0, ""));
    sample::fill(&store, &more).await;
    let claim = ClaimRequest {
        max_runs: 3,
        max_events_per_run: 1,
        max_bytes: 1_000,
        lease: Duration::from_secs(60),
    };
    let claimed = store.claim(&claim).await.unwrap();
    let policy = RetryPolicy::default().with_jitter(Jitter::None);
    store
        .mark_failed(&claimed[0].lease, 1, &SafeText::new("full"), &policy)
        .await
        .unwrap();
    assert_eq!(
        said_after(&store, 0).await,
        "nothing is due: 2 runs leased, 1 backing off, 1 parked\n"
    );
}

/// What the command says when it delivers that many events.
async fn said_after(store: &MemoryStore, events: usize) -> String {
    let (mut console, printed, said) = Console::kept(false);
    ran(store, &[], &mut console).await.unwrap();
    assert_eq!(printed.text().lines().count(), events);
    said.text()
}

#[tokio::test]
async fn the_receiver_may_have_another_name() {
    let store = store(&["1"]).await;
    let elsewhere = ["--destination", "nats://bus/runs"];
    let (mut console, printed, _) = Console::kept(false);
    ran(&store, &elsewhere, &mut console).await.unwrap();
    assert_eq!(printed.text().lines().count(), 1);

    let (mut console, _, _) = Console::kept(false);
    let refused = ran(&store, &[], &mut console).await.unwrap_err();
    assert_eq!(refused.exit().code(), 4);
    assert!(refused.to_string().contains("nats://bus/runs"), "{refused}");
}

#[test]
fn a_claim_takes_at_least_one_run_and_not_too_many() {
    for wrong in ["0", "1001", "many"] {
        let refused = Args::try_parse_from(["dvt", "drain", "--max-runs", wrong]);
        assert_eq!(refused.unwrap_err().exit_code(), 2, "{wrong}");
    }
}
