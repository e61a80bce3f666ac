//! From a store to NATS JetStream, as processes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use dvt_cloudevents::{Inbox, Received, Verdict};

use crate::database::{Database, bare};
use crate::process::Process;
use crate::ran::Ran;
use crate::stage::{PATIENCE, end, outbox, record, wait_for_outbox};

/// Where the server is.
fn url() -> String {
    std::env::var("DVT_NATS_URL").unwrap()
}

fn on_the_bus<T>(work: impl AsyncFnOnce(Context) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(url()).await.unwrap();
        work(jetstream::new(client)).await
    })
}

/// What a stream holds, and the stream is taken away.
fn taken(stream: &str) -> Vec<Received> {
    on_the_bus(async |context| {
        let mut held = context.get_stream(stream).await.unwrap();
        let state = held.info().await.unwrap().state.clone();
        let mut events = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            let message = held.get_raw_message(sequence).await.unwrap();
            events.push(Received::from_json(&message.payload).unwrap());
        }
        context.delete_stream(stream).await.unwrap();
        events
    })
}

fn messages(stream: &str) -> u64 {
    on_the_bus(async |context| match context.get_stream(stream).await {
        Ok(mut held) => held.info().await.unwrap().state.messages,
        Err(_) => 0,
    })
}

fn relay(database: &Database, stream: &str, more: &[&str]) -> Command {
    let to = format!("{}/{stream}.{{tenant}}.{{run}}", url());
    let mut command = database.command(&["relay", "--to", &to, "--nats-stream", stream]);
    command
        .args(["--nats-create-stream", "--json", "--poll-interval", "100ms"])
        .args(more);
    command
}

/// Subjects and a stream that nobody else uses.
fn name(database: &Database) -> String {
    database.schema.clone()
}

pub(crate) fn a_stream_gets_each_event_once_and_in_order_through_a_kill(database: &Database) {
    let (runs, events) = (200, 50);
    let total = runs * events;
    record(database, runs, events);
    let stream = name(database);
    let start = || Process::start(relay(database, &stream, &["--lease", "1s"]));
    let (killed, other) = (start(), start());
    let deadline = Instant::now() + PATIENCE;
    while messages(&stream) < total as u64 / 4 {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill();
    wait_for_outbox(database, |status| status["pending_events"] == 0);
    end(other);

    let mut inbox = Inbox::default();
    let arrived = taken(&stream);
    for event in &arrived {
        assert_eq!(inbox.receive(event), Verdict::Next, "{event:?}");
    }
    assert_eq!(arrived.len(), total);
}

pub(crate) fn a_missing_stream_is_told_before_anything_is_claimed(database: &Database) {
    record(database, 1, 1);
    let to = format!("{}/{}.{{tenant}}.{{run}}", url(), name(database));
    let ran = database.dvt(&["relay", "--once", "--to", &to]);
    assert_eq!((ran.code, ran.out.as_str()), (7, ""), "{ran:?}");
    assert!(
        ran.err.contains("nats stream add DVT --subjects"),
        "{ran:?}"
    );
    let status = outbox(database);
    assert_eq!(status["due_runs"], 1);
    assert_eq!(status["destination"], serde_json::Value::Null);
}

/// The README's three commands, run as they are written there.
pub(crate) fn the_three_commands_of_the_readme_work_as_written(database: &Database) {
    assert_eq!(
        messages("DVT"),
        0,
        "the server in DVT_NATS_URL has a stream DVT: this test needs a server without one"
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let block = readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .find(|block| block.contains("dvt relay --once"))
        .unwrap();
    assert_eq!(block.lines().count(), 3, "{block}");
    let server = url().trim_start_matches("nats://").to_owned();
    let commands = block.replace("localhost:4222", server.trim_end_matches('/'));
    let nothing = Database::without_store(database.url());

    let program = Path::new(env!("CARGO_BIN_EXE_dvt")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", program.display());
    let mut shell = Command::new("sh");
    shell
        .args(["-eu", "-c", &commands])
        .current_dir(root)
        .env_clear()
        .envs(
            bare(&[])
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", path)
        .env("DATABASE_URL", nothing.url())
        .env("DVT_PG_SCHEMA", &nothing.schema);
    let ran = Ran::from(shell.output().unwrap());

    assert_eq!(ran.code, 0, "{ran:?}");
    let arrived = taken("DVT");
    let seqs: Vec<u64> = arrived.iter().map(|event| event.run_seq).collect();
    assert!(arrived.len() > 5, "{arrived:?}");
    assert_eq!(seqs, (1..=arrived.len() as u64).collect::<Vec<_>>());
    assert!(
        ran.err
            .ends_with(&format!("{} events delivered\n", arrived.len())),
        "{ran:?}"
    );
    assert_eq!(outbox(&nothing)["pending_events"], 0);
}
