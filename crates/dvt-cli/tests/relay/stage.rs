use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dvt_contracts::RunKey;
use serde_json::Value;

use crate::database::{Database, Ran};
use crate::process::Process;
use crate::receiver::Receiver;

/// Long enough for the slowest machine, short enough to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// The runs `run-0`, `run-1` … with so many events each.
pub(crate) fn record(database: &Database, runs: usize, events: usize) {
    let mut lines = String::new();
    for event in 1..=events {
        for run in 0..runs {
            let _ = writeln!(
                lines,
                r#"{{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"run-{run}","plan_id":"plan","plan_version":"1","event_type":"Custom","emitted_at":"2026-01-02T03:04:05Z","idempotency_key":"{event}","payload":[{event}, 1e400]}}"#
            );
        }
    }
    let ran = feed(database, &lines).done();
    assert_eq!(ran.json()["appended"], runs * events);
}

/// Records these lines.
pub(crate) fn feed(database: &Database, lines: &str) -> Ran {
    let mut child = database
        .command(&["record", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

/// A relay from this store to this receiver, with short waits.
pub(crate) fn relay(database: &Database, receiver: &Receiver, more: &[&str]) -> Command {
    let mut command = database.command(&["relay", "--to", &receiver.url(), "--json"]);
    command
        .args([
            "--allow-http",
            "--allow-private",
            "--poll-interval",
            "100ms",
        ])
        .args(more);
    command
}

pub(crate) fn run_key(run: usize) -> RunKey {
    RunKey::new("t".parse().unwrap(), format!("run-{run}").parse().unwrap())
}

/// Asserts that the receiver took these events of each run: each once, in order, with its payload byte for byte.
pub(crate) fn assert_taken(receiver: &Receiver, runs: usize, events: usize) {
    let expected: Vec<(u64, String)> = (1..=events as u64)
        .map(|event| (event, format!("[{event}, 1e400]")))
        .collect();
    receiver.books(|books| {
        assert_eq!(books.gaps, []);
        assert_eq!(books.taken.len(), runs);
        for run in 0..runs {
            assert_eq!(books.taken[&run_key(run)], expected, "run-{run}");
        }
    });
}

/// The outbox in numbers.
pub(crate) fn outbox(database: &Database) -> Value {
    database.dvt(&["outbox", "status", "--json"]).done().json()
}

/// Waits until the outbox is so.
pub(crate) fn wait_for_outbox(database: &Database, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = outbox(database);
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Tells a relay to end, and returns its summary.
pub(crate) fn end(relay: Process) -> Value {
    relay.signal("TERM");
    let ran = relay.ended();
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}
