//! An outbox for the tests of these commands.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Parser as _;
use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_contracts::{
    ClaimRequest, Jitter, Lease, OperatorNote, OutboxStorage as _, RetryPolicy, SafeText,
};

use crate::args::{Args, Command, OutboxCommand};
use crate::sample::{PERSISTED_AT, fill, key, line};

/// An error text that would clear a terminal and colour it, on several lines.
pub(super) const NASTY: &str = "\u{1b}[2Jrefused:\t400\nbad \u{9b}31mdate";

/// The moment at which all but the first run of [`outbox`] came to be as they are: two hours after it.
pub(super) const NOW: &str = "2026-12-01T02:00:00Z";

/// One run in each state:
///
/// - `shop/poison`: 3 events, the second dead of [`NASTY`] after one attempt, at `PERSISTED_AT`
/// - `shop/slow`: 1 event, backing off for a minute after an attempt
/// - `lab/taken`: 2 events, leased for a minute
/// - `lab/mended`: 3 events, the first was retried, died again and was skipped; the others are due
pub(super) async fn outbox() -> MemoryStore {
    let clock = ManualClock::at(PERSISTED_AT.parse().unwrap());
    let store = MemoryStore::with_clock(clock.clone());
    record(&store, "shop", "poison", 3).await;
    fail(&store, 2, NASTY, 1).await;
    clock.advance(Duration::from_secs(2 * 60 * 60));
    record(&store, "shop", "slow", 1).await;
    fail(&store, 1, "503", 9).await;
    record(&store, "lab", "taken", 2).await;
    claim(&store).await;
    record(&store, "lab", "mended", 3).await;
    let mended = key("lab", "mended");
    fail(&store, 1, "400", 1).await;
    let note = OperatorNote::new("ada", "mended");
    store.retry_dead_letter(&mended, 1, &note).await.unwrap();
    fail(&store, 1, "400 again", 1).await;
    let note = OperatorNote::new("bob", "never valid");
    store.skip_dead_letter(&mended, 2, &note).await.unwrap();
    store
}

/// Records a run.
pub(super) async fn record(store: &MemoryStore, tenant: &str, run: &str, events: u32) {
    let lines: Vec<_> = (0..events)
        .map(|second| line(tenant, run, &format!("Custom{second}"), second, ""))
        .collect();
    fill(store, &lines).await;
}

/// Records that many runs `r00000` … of one event each, all parked.
pub(super) async fn parked(store: &MemoryStore, tenant: &str, runs: usize) {
    let lines: Vec<_> = (0..runs)
        .map(|number| line(tenant, &format!("r{number:05}"), "RunStarted", 0, ""))
        .collect();
    fill(store, &lines).await;
    let note = OperatorNote::new("ada", "outage");
    for number in 0..runs {
        let run = key(tenant, &format!("r{number:05}"));
        store.park_run(&run, &note).await.unwrap();
    }
}

/// Fails an event of the only run that is due.
pub(super) async fn fail(store: &MemoryStore, seq: u64, error: &str, max_attempts: u32) {
    let lease = claim(store).await;
    let minute = Duration::from_secs(60);
    let policy = RetryPolicy::new(NonZeroU32::new(max_attempts).unwrap(), minute, minute)
        .unwrap()
        .with_jitter(Jitter::None);
    store
        .mark_failed(&lease, seq, &SafeText::from(error), &policy)
        .await
        .unwrap();
}

async fn claim(store: &MemoryStore) -> Lease {
    let request = ClaimRequest {
        max_runs: 10,
        max_events_per_run: 10,
        max_bytes: u64::MAX,
        lease: Duration::from_secs(60),
    };
    let mut claimed = store.claim(&request).await.unwrap();
    assert_eq!(claimed.len(), 1, "one run at a time: {claimed:?}");
    claimed.remove(0).lease
}

/// The command that a command line asks for.
pub(super) fn parsed(line: &[&str]) -> OutboxCommand {
    let args = Args::try_parse_from([&["dvt", "outbox"], line].concat()).unwrap();
    match args.command {
        Command::Outbox(args) => args.command,
        other => panic!("{other:?}"),
    }
}

/// The command lines that the parser must refuse.
pub(super) fn assert_refused(lines: &[&[&str]]) {
    for line in lines {
        let refused = Args::try_parse_from([&["dvt", "outbox"], *line].concat());
        assert_eq!(refused.unwrap_err().exit_code(), 2, "{line:?}");
    }
}
