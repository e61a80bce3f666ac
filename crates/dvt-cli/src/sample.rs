//! A store for the tests of the commands that read one.

use std::sync::Arc;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_contracts::{RunKey, RunStateStore as _};

use crate::console::{Console, Page};
use crate::drain;
use crate::reader::NdjsonReader;
use crate::record::{Input, Patience, Tally, record};

/// When the store says that everything happened.
pub(crate) const PERSISTED_AT: &str = "2026-12-01T00:00:00Z";

/// Delivers everything, and returns what a drain prints.
pub(crate) async fn drained(store: &MemoryStore) -> String {
    let (mut console, printed, _) = Console::kept(false);
    drain::to_ndjson(Arc::new(store.clone()), &mut console)
        .await
        .unwrap();
    printed.text()
}

/// The store of [`store`], whose runs are undelivered except for the pruned one:
///
/// - `acme/nightly-1`: completed, its step `load` in the second attempt, known to a provider
/// - `acme/nightly-2`: running, in another project
/// - `acme/old`: completed and pruned
/// - `beta/nightly-1`: failed
pub(crate) async fn store() -> MemoryStore {
    let store = MemoryStore::with_clock(ManualClock::at(PERSISTED_AT.parse().unwrap()));
    let old = [
        line("acme", "old", "RunStarted", 0, ""),
        line("acme", "old", "RunCompleted", 1, ""),
    ];
    fill(&store, &old).await;
    drained(&store).await;
    store.prune_run(&key("acme", "old")).await.unwrap();
    let provider = r#","provider_ref":{"provider":"temporal","namespace":"prod","workflow_id":"wf-1","run_id":"7"}"#;
    let lines = [
        line("acme", "nightly-1", "RunStarted", 0, provider),
        line(
            "acme",
            "nightly-1",
            "StepStarted",
            1,
            r#","step_id":"load""#,
        ),
        line(
            "acme",
            "nightly-1",
            "StepFailed",
            3,
            r#","step_id":"load","payload":{"why":	"disk"}"#,
        ),
        line(
            "acme",
            "nightly-1",
            "StepStarted",
            4,
            r#","step_id":"load","logical_attempt":2"#,
        ),
        line(
            "acme",
            "nightly-1",
            "StepCompleted",
            8,
            r#","step_id":"load","logical_attempt":2"#,
        ),
        line("acme", "nightly-1", "RunCompleted", 9, ""),
        line("acme", "nightly-2", "RunStarted", 0, "").replace("shop", "lab"),
        line("beta", "nightly-1", "RunStarted", 0, ""),
        line("beta", "nightly-1", "RunFailed", 5, ""),
    ];
    fill(&store, &lines).await;
    store
}

/// A run's key.
pub(crate) fn key(tenant: &str, run: &str) -> RunKey {
    RunKey::new(tenant.parse().unwrap(), run.parse().unwrap())
}

/// Records lines of NDJSON.
pub(crate) async fn fill(store: &MemoryStore, lines: &[String]) {
    let text = lines.concat();
    let input = Input {
        name: "sample".into(),
        size: None,
        stream: std::io::Cursor::new(text),
    };
    let mut tally = Tally::default();
    let mut page = Page::to_file(std::io::sink());
    record(
        input,
        &mut NdjsonReader::default(),
        store,
        &mut page,
        &mut tally,
        Patience::None,
    )
    .await
    .unwrap();
    assert_eq!(tally.appended, lines.len() as u64);
}

/// A line of NDJSON.
pub(crate) fn line(tenant: &str, run: &str, event_type: &str, second: u32, more: &str) -> String {
    format!(
        r#"{{"tenant_id":"{tenant}","project_id":"shop","environment_id":"dev","run_id":"{run}","plan_id":"plan","plan_version":"1","event_type":"{event_type}","emitted_at":"2026-01-02T03:04:{second:02}Z"{more}}}"#
    ) + "\n"
}
