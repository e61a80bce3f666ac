//! What a store makes of the file that it is given: each fault is told as what it is, and nothing is harmed.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use dvt_adapter_sqlite::{SqliteSettings, SqliteStore};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, ErrorClass, Event, EventType, Payload, RunKey, RunMetadata,
    RunQuery, RunStateStore, RunStateStoreExt as _, StoreError, Timestamp,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// A folder with a path for a store in it.
struct Ground {
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("dvt.db")
    }

    fn settings(&self) -> SqliteSettings {
        SqliteSettings::new(self.file())
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.settings()).await.unwrap()
    }

    async fn refusal(&self) -> String {
        let error = SqliteStore::open(self.settings()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Caller, "{error}");
        error.to_string()
    }

    /// What another program does to the file.
    async fn execute(&self, sql: &str) {
        let options = SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn run() -> RunKey {
    RunKey::new("t".parse().unwrap(), "run-1".parse().unwrap())
}

fn bootstrap() -> BootstrapRequest {
    BootstrapRequest {
        run: run(),
        metadata: RunMetadata {
            project_id: "shop".parse().unwrap(),
            environment_id: "dev".parse().unwrap(),
            plan_id: "plan".parse().unwrap(),
            plan_version: "1".parse().unwrap(),
        },
        events: Vec::new(),
    }
}

fn event(key: &str, payload: &str) -> Event {
    let name = EventType::RunStarted;
    Event::new(name, None, key.parse().unwrap(), Timestamp::now())
        .unwrap()
        .with_payload(Payload::new(payload).unwrap())
}

async fn append(store: &SqliteStore, key: &str, payload: &str) -> Result<u64, StoreError> {
    let request = AppendRequest::new(run(), vec![event(key, payload)]);
    Ok(store.append_and_enqueue(request).await?.head)
}

fn cause(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[tokio::test]
async fn reads_of_a_missing_file_see_an_empty_store_and_make_nothing() {
    let ground = Ground::new();
    let store = ground.open().await;

    let listed = store.list_runs(&RunQuery::new("t".parse().unwrap())).await;
    let missing = store.get_run(&run()).await;

    assert_eq!(listed.unwrap(), []);
    assert!(matches!(missing, Err(StoreError::RunNotFound { .. })));
    assert_eq!(fs::read_dir(ground.folder.path()).unwrap().count(), 0);
    store.bootstrap_run(&bootstrap()).await.unwrap();
    assert_eq!(
        store.get_run(&run()).await.unwrap().head,
        0,
        "the same handle sees the file"
    );
}

#[tokio::test]
async fn a_missing_file_that_may_not_be_made_is_told() {
    let ground = Ground::new();

    let refused = SqliteStore::open(ground.settings().with_create(false)).await;

    let told = refused.unwrap_err().to_string();
    assert!(
        told.starts_with("there is no file ") && told.contains("dvt.db"),
        "{told}"
    );
    assert!(!ground.file().exists());
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let ground = Ground::new();
    ground.execute("CREATE TABLE invoices (id)").await;
    let before = fs::read(ground.file()).unwrap();

    let told = ground.refusal().await;

    assert!(
        told.contains("is not a store of DVT, it holds \"invoices\""),
        "{told}"
    );
    assert_eq!(fs::read(ground.file()).unwrap(), before);
}

/// One makes it a store while others look whose it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_may_be_opened_by_many_at_once() {
    for _ in 0..40 {
        let ground = Ground::new();
        let start = Arc::new(Barrier::new(8));
        let mut openers = JoinSet::new();
        for _ in 0..8 {
            let (settings, start) = (ground.settings(), Arc::clone(&start));
            openers.spawn(async move {
                start.wait().await;
                let store = SqliteStore::open(settings).await.unwrap();
                store.bootstrap_run(&bootstrap()).await.unwrap().created
            });
        }

        let created = openers.join_all().await;

        assert_eq!(created.into_iter().filter(|created| *created).count(), 1);
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_by_the_migration_that_it_has() {
    let ground = Ground::new();
    ground
        .open()
        .await
        .bootstrap_run(&bootstrap())
        .await
        .unwrap();
    ground
        .execute("INSERT INTO schema_migrations (version, description, checksum) VALUES (999, 'later', x'00')")
        .await;

    let told = ground.refusal().await;

    assert!(told.contains("newer version, with migration 999"), "{told}");
}

#[tokio::test]
async fn a_file_with_another_migration_of_the_same_number_is_refused() {
    let ground = Ground::new();
    ground
        .open()
        .await
        .bootstrap_run(&bootstrap())
        .await
        .unwrap();
    ground
        .execute("UPDATE schema_migrations SET checksum = x'00' WHERE version = 2")
        .await;

    let told = ground.refusal().await;

    assert!(told.starts_with("migration 2 of "), "{told}");
}

#[tokio::test]
async fn a_damaged_page_is_told_as_damage_and_the_rest_stays() {
    let ground = Ground::new();
    let store = ground.open().await;
    store.bootstrap_run(&bootstrap()).await.unwrap();
    for number in 0..200 {
        append(
            &store,
            &format!("k{number}"),
            &format!("\"{}\"", "x".repeat(500)),
        )
        .await
        .unwrap();
    }
    drop(store);
    // A connection that closes puts the log of changes into the file.
    ground.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let mut bytes = fs::read(ground.file()).unwrap();
    // The events came last; the schema stands in the first pages.
    let half = bytes.len() / 2;
    bytes[half..].iter_mut().for_each(|byte| *byte = 0xa5);
    fs::write(ground.file(), &bytes).unwrap();

    let store = ground.open().await;
    let read = store.list_events(&run(), 0, 1_000).await.unwrap_err();

    assert_eq!(read.class(), ErrorClass::Caller, "{read:?}");
    assert!(
        cause(&read).contains("the file is damaged"),
        "{}",
        cause(&read)
    );
    assert_eq!(
        fs::read(ground.file()).unwrap(),
        bytes,
        "reading harms nothing"
    );
}

#[tokio::test]
async fn a_file_that_is_removed_is_made_anew_by_the_next_write_and_not_written_where_nobody_looks()
{
    let ground = Ground::new();
    let store = ground.open().await;
    store.bootstrap_run(&bootstrap()).await.unwrap();
    for name in ["dvt.db", "dvt.db-wal", "dvt.db-shm"] {
        let _ = fs::remove_file(ground.folder.path().join(name));
    }

    let gone = store.get_run(&run()).await;
    let made = store.bootstrap_run(&bootstrap()).await.unwrap();

    assert!(
        matches!(gone, Err(StoreError::RunNotFound { .. })),
        "{gone:?}"
    );
    assert!(made.created);
    assert!(ground.file().exists());
}

#[tokio::test]
async fn a_writer_that_holds_the_file_too_long_makes_others_fail_for_now_and_only_for_now() {
    let ground = Ground::new();
    let patience = std::time::Duration::from_millis(50);
    let store = SqliteStore::open(ground.settings().with_patience(patience))
        .await
        .unwrap();
    store.bootstrap_run(&bootstrap()).await.unwrap();
    let options = SqliteConnectOptions::new().filename(ground.file());
    let mut other = options.connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();

    let refused = append(&store, "key", "1").await.unwrap_err();
    let read = store.get_run(&run()).await;

    assert_eq!(refused.class(), ErrorClass::Transient, "{refused:?}");
    assert_eq!(read.unwrap().head, 0, "readers do not wait for writers");
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(append(&store, "key", "1").await.unwrap(), 1);
}

#[tokio::test]
async fn the_log_lets_go_of_nothing_that_is_not_pruned() {
    let ground = Ground::new();
    let store = ground.open().await;
    store.bootstrap_run(&bootstrap()).await.unwrap();
    append(&store, "key", "1").await.unwrap();
    let options = SqliteConnectOptions::new().filename(ground.file());
    let mut other = options.connect().await.unwrap();

    for statement in [
        "UPDATE run_events SET payload = '2'",
        "DELETE FROM run_events",
    ] {
        let refused = other.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains("of run_events is refused"), "{refused}");
    }

    let page = store.list_events(&run(), 0, 10).await.unwrap();
    assert_eq!(page.events[0].event.payload().as_str(), "1");
}

#[tokio::test]
async fn a_store_that_is_closed_is_one_file_and_refuses_what_comes() {
    let ground = Ground::new();
    let store = ground.open().await;
    store.bootstrap_run(&bootstrap()).await.unwrap();
    append(&store, "key", "1").await.unwrap();
    store.get_run(&run()).await.unwrap();

    store.close().await;

    let names: Vec<_> = fs::read_dir(ground.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["dvt.db"]);
    let refused = append(&store, "other", "1").await.unwrap_err();
    assert!(
        cause(&refused).contains("the store was closed"),
        "{refused:?}"
    );
    assert_eq!(ground.open().await.get_run(&run()).await.unwrap().head, 1);
}
