//! Recording into one store, several times and with failures.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use dvt_adapter_memory::MemoryStore;
use dvt_contracts::*;

use super::*;
use crate::sample;

mod strict;

fn line(run: &str, number: u32, more: &str) -> String {
    format!(
        r#"{{"tenant_id":"t","project_id":"p","environment_id":"e","run_id":"{run}","plan_id":"plan","plan_version":"1","event_type":"Custom","emitted_at":"2026-01-02T03:04:05Z","idempotency_key":"{number}"{more}}}"#
    )
}

fn key(run: &str) -> RunKey {
    RunKey::new("t".parse().unwrap(), run.parse().unwrap())
}

async fn recorded(store: &dyn RunStateStore, lines: &[String]) -> (Tally, Result<(), Failure>) {
    let text = lines.join("\n");
    let input = Input {
        name: "test".into(),
        size: None,
        stream: std::io::Cursor::new(text),
    };
    let mut tally = Tally::default();
    let mut page = Page::to_file(io::sink());
    let outcome = record(
        input,
        &mut NdjsonReader::default(),
        store,
        &mut page,
        &mut tally,
        Patience::None,
    )
    .await;
    let accounted =
        tally.blank + tally.ignored.total() + tally.rejected + tally.appended + tally.duplicates;
    if outcome.is_ok() {
        assert_eq!(tally.lines, accounted, "every line is counted once");
    }
    (tally, outcome)
}

#[tokio::test]
async fn recording_twice_appends_nothing() {
    let store = MemoryStore::new();
    // Three runs in turns, over more than one call of the store.
    let lines: Vec<_> = (0..3_500)
        .map(|number| line(&format!("r{}", number % 3), number, ""))
        .collect();
    let (first, outcome) = recorded(&store, &lines).await;
    outcome.unwrap();
    assert_eq!(
        (first.appended, first.duplicates, first.rejected),
        (3_500, 0, 0)
    );
    assert_eq!((first.created, first.runs.total()), (3, 3));
    let (second, outcome) = recorded(&store, &lines).await;
    outcome.unwrap();
    assert_eq!(
        (second.appended, second.duplicates, second.rejected),
        (0, 3_500, 0)
    );
    assert_eq!((second.created, second.runs.total()), (0, 3));
    let page = store.list_events(&key("r0"), 0, 3).await.unwrap();
    let keys: Vec<_> = page
        .events
        .iter()
        .map(|event| event.event.idempotency_key().to_string())
        .collect();
    assert_eq!(keys, ["0", "3", "6"], "in the order of the input");
}

#[tokio::test]
async fn a_wrong_run_seq_writes_nothing() {
    let store = MemoryStore::new();
    let lines = [
        line("new", 1, r#","run_seq":2"#), // not the first
        line("r", 1, r#","run_seq":1"#),   // right
        line("r", 2, r#","run_seq":2"#),   // right
        line("r", 2, r#","run_seq":2"#),   // a duplicate, right
        line("r", 2, r#","run_seq":3"#),   // a duplicate, wrong
        line("r", 3, r#","run_seq":4"#),   // beyond the head
        line("r", 3, r#","run_seq":1"#),   // before it
        line("r", 3, ""),                  // says nothing about it
    ];
    let (tally, outcome) = recorded(&store, &lines).await;
    outcome.unwrap();
    assert_eq!(
        (tally.appended, tally.duplicates, tally.rejected),
        (3, 1, 4)
    );
    assert_eq!(store.get_run(&key("r")).await.unwrap().head, 3);
    assert!(matches!(
        store.get_run(&key("new")).await,
        Err(StoreError::RunNotFound { .. })
    ));
}

#[tokio::test]
async fn a_run_keeps_its_metadata() {
    let store = MemoryStore::new();
    let other = line("r", 2, "").replace("\"plan_version\":\"1\"", "\"plan_version\":\"2\"");
    let (tally, _) = recorded(&store, &[line("r", 1, ""), other.clone(), line("r", 3, "")]).await;
    assert_eq!((tally.appended, tally.rejected), (2, 1));
    // Also where the run was made by somebody else.
    let (tally, _) = recorded(&store, &[other.clone(), other, line("r", 4, "")]).await;
    assert_eq!((tally.appended, tally.rejected), (1, 2));
}

#[tokio::test]
async fn a_pruned_run_takes_no_lines() {
    let store = MemoryStore::new();
    let start = line("r", 1, "").replace("Custom", "RunStarted");
    let end = line("r", 2, "").replace("Custom", "RunCompleted");
    recorded(&store, &[start.clone(), end]).await.1.unwrap();
    sample::drained(&store).await;
    store.prune_run(&key("r")).await.unwrap();
    let wrong_seq = line("r", 9, r#","run_seq":9"#);
    let (tally, outcome) = recorded(&store, &[start, wrong_seq, line("other", 1, "")]).await;
    outcome.unwrap();
    assert_eq!((tally.appended, tally.rejected), (1, 2));
}

#[tokio::test]
async fn a_duplicate_that_says_something_else_is_counted() {
    let store = MemoryStore::new();
    let lines = [
        line("r", 1, r#","payload":1"#),
        line("r", 1, r#","payload":2"#),
    ];
    let (tally, _) = recorded(&store, &lines).await;
    assert_eq!(
        (tally.appended, tally.duplicates, tally.differing),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn the_provider_reference_is_the_last_one_given() {
    let store = MemoryStore::new();
    let provider =
        |id: &str| format!(r#","provider_ref":{{"provider":"temporal","workflow_id":"{id}"}}"#);
    let lines = [
        line("r", 1, &provider("a")),
        line("r", 2, &provider("b")),
        line("r", 3, ""),
    ];
    recorded(&store, &lines).await.1.unwrap();
    let record = store.get_run(&key("r")).await.unwrap();
    assert_eq!(record.provider_ref.unwrap().workflow_id(), "b");
}

#[tokio::test]
async fn a_failing_store_stops_the_recording_and_a_repetition_completes_it() {
    for class in [ErrorClass::Transient, ErrorClass::Unknown] {
        let store = Scripted::new(Script::Fail(class));
        let lines: Vec<_> = (0..2_500).map(|number| line("r", number, "")).collect();
        let (tally, outcome) = recorded(&store, &lines).await;
        let failure = outcome.unwrap_err();
        assert_eq!(failure.exit().code(), 4);
        assert!(
            failure
                .to_string()
                .contains("repeating the command is safe"),
            "{failure}"
        );
        assert_eq!(tally.appended, 1_000);

        let (tally, outcome) = recorded(&store, &lines).await;
        outcome.unwrap();
        assert_eq!(tally.appended + tally.duplicates, 2_500);
        assert_eq!(store.get_run(&key("r")).await.unwrap().head, 2_500);
    }
}

#[tokio::test]
async fn an_input_that_breaks_off_keeps_what_came_before() {
    #[derive(Debug)]
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let store = MemoryStore::new();
    let text = format!("{}\n", line("r", 1, ""));
    let input = Input {
        name: "test".into(),
        size: None,
        stream: io::Cursor::new(text).chain(Broken),
    };
    let mut tally = Tally::default();
    let mut page = Page::to_file(io::sink());
    let reader = &mut NdjsonReader::default();
    let failure = record(input, reader, &store, &mut page, &mut tally, Patience::None)
        .await
        .unwrap_err();
    assert_eq!(failure.exit().code(), 3);
    assert_eq!(tally.appended, 1);
}

/// What 1 GB of different events takes in memory when the store keeps none of them. The figure goes to standard error:
/// `cargo test --release -p dvt-cli -- --ignored --nocapture gigabyte`.
#[tokio::test]
#[ignore = "reads a gigabyte"]
async fn a_gigabyte_of_different_events_takes_no_more_memory_than_a_tenth_of_them() {
    /// Different lines, as many as asked for.
    #[derive(Debug)]
    struct Lines {
        left: u32,
        number: u32,
        line: io::Cursor<Vec<u8>>,
    }
    impl Read for Lines {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.line.position() == self.line.get_ref().len() as u64 && self.left > 0 {
                self.left -= 1;
                self.number += 1;
                let payload = format!(",\"payload\":\"{}\"", "x".repeat(200));
                let text = line(&format!("r{}", self.number / 1_000), self.number, &payload) + "\n";
                self.line = io::Cursor::new(text.into_bytes());
            }
            self.line.read(buffer)
        }
    }
    let peak_kilobytes = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let mut peaks = Vec::new();
    for megabytes in [100, 1_000] {
        let store = Scripted::new(Script::Forget);
        let stream = Lines {
            left: megabytes * 2_500,
            number: 0,
            line: io::Cursor::default(),
        };
        let input = Input {
            name: "test".into(),
            size: None,
            stream,
        };
        let mut tally = Tally::default();
        let mut page = Page::to_file(io::sink());
        let reader = &mut NdjsonReader::default();
        record(input, reader, &store, &mut page, &mut tally, Patience::None)
            .await
            .unwrap();
        peaks.push(peak_kilobytes());
        eprintln!(
            "{} bytes, {} appended: peak {} kB",
            tally.bytes,
            tally.appended,
            peaks.last().unwrap()
        );
    }
    assert!(peaks[1] < peaks[0] + 8_000, "{peaks:?}");
}

/// A store that plays a part.
#[derive(Debug)]
struct Scripted {
    store: MemoryStore,
    appends: AtomicU32,
    script: Script,
}

#[derive(Debug)]
enum Script {
    /// Fails its second append once: before it happens, or after.
    Fail(ErrorClass),
    /// Says that it appended, and keeps nothing.
    Forget,
}

impl Scripted {
    fn new(script: Script) -> Self {
        Self {
            store: MemoryStore::new(),
            appends: AtomicU32::new(0),
            script,
        }
    }
}

/// The reply of a store that appended everything.
fn appended(request: &AppendRequest) -> AppendOutcome {
    let events = request.events.iter().map(|event| {
        let stored = RunEvent {
            run_seq: 1,
            persisted_at: Timestamp::MIN,
            event: event.clone(),
        };
        Appended {
            stored,
            disposition: Disposition::Appended,
        }
    });
    AppendOutcome {
        head: 1,
        events: events.collect(),
    }
}

#[async_trait]
impl RunStateStore for Scripted {
    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        let (operation, source) = ("append_batch", "connection reset");
        let is_second = self.appends.fetch_add(1, Ordering::SeqCst) == 1;
        match self.script {
            Script::Forget => Ok(requests
                .iter()
                .map(|request| Ok(appended(request)))
                .collect()),
            Script::Fail(ErrorClass::Transient) if is_second => {
                Err(StoreError::transient(operation, source))
            }
            Script::Fail(_) if is_second => {
                self.store.append_batch(requests).await?;
                Err(StoreError::unknown(operation, source))
            }
            Script::Fail(_) => self.store.append_batch(requests).await,
        }
    }

    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        self.store.bootstrap_run(request).await
    }

    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError> {
        self.store.get_run(run).await
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        self.store.list_runs(query).await
    }

    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError> {
        self.store.list_tenants(after, limit).await
    }

    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        self.store.list_events(run, after_seq, limit).await
    }

    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError> {
        self.store.save_provider_ref(run, provider_ref).await
    }

    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError> {
        self.store.load_checkpoint(run).await
    }

    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError> {
        self.store.save_checkpoint(run, checkpoint).await
    }

    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError> {
        self.store.prune_run(run).await
    }
}
