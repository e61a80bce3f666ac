//! A disk that is full, and one that takes no writes: small file systems in memory, where the system lets a test mount one.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dvt_adapter_sqlite::{SqliteSettings, SqliteStore};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, ErrorClass, Event, EventType, Payload, RunKey, RunMetadata,
    RunStateStore, RunStateStoreExt as _, StoreError, Timestamp,
};
use tempfile::TempDir;

/// A file system of its own, gone with the value.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None`, and a line that says so, where mounting is not allowed.
    fn mount(kilobytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={kilobytes}k");
        let mounted = run_quietly(
            "mount",
            &["-t", "tmpfs", "-o", &options, "tmpfs"],
            folder.path(),
        );
        if !mounted {
            println!("left out: a disk of its own needs the right to mount one");
            return None;
        }
        Some(Self { folder })
    }

    fn remount(&self, mode: &str) {
        let options = format!("remount,{mode}");
        let begun = Instant::now();
        // A store that was dropped closes its file in the background, and until then the disk is in use.
        while !run_quietly("mount", &["-o", &options], self.folder.path()) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "cannot remount {mode}"
            );
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("dvt.db")
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(SqliteSettings::new(self.file()))
            .await
            .unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run_quietly("umount", &["--lazy"], self.folder.path());
    }
}

fn run_quietly(program: &str, args: &[&str], folder: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(args).arg(folder);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn run() -> RunKey {
    RunKey::new("t".parse().unwrap(), "run-1".parse().unwrap())
}

async fn bootstrap(store: &SqliteStore) {
    let request = BootstrapRequest {
        run: run(),
        metadata: RunMetadata {
            project_id: "shop".parse().unwrap(),
            environment_id: "dev".parse().unwrap(),
            plan_id: "plan".parse().unwrap(),
            plan_version: "1".parse().unwrap(),
        },
        events: Vec::new(),
    };
    store.bootstrap_run(&request).await.unwrap();
}

/// Appends an event of ten kilobytes.
async fn append(store: &SqliteStore, number: u64) -> Result<u64, StoreError> {
    let payload = format!("\"{}\"", "x".repeat(10_000));
    let name: EventType = "Note".parse().unwrap();
    let key = format!("key-{number}").parse().unwrap();
    let event = Event::new(name, None, key, Timestamp::now())
        .unwrap()
        .with_payload(Payload::new(&payload).unwrap());
    let request = AppendRequest::new(run(), vec![event]);
    Ok(store.append_and_enqueue(request).await?.head)
}

async fn seqs(store: &SqliteStore) -> Vec<u64> {
    let page = store.list_events(&run(), 0, 1_000).await.unwrap();
    page.events.iter().map(|event| event.run_seq).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_is_over_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(1_024) else {
        return;
    };
    let ballast = disk.folder.path().join("ballast");
    fs::write(&ballast, vec![7; 300_000]).unwrap();
    let store = disk.open().await;
    bootstrap(&store).await;

    let mut stored = 0;
    let full = loop {
        match append(&store, stored + 1).await {
            Ok(head) => stored = head,
            Err(error) => break error,
        }
        assert!(stored < 200, "the disk does not fill up");
    };

    assert!(stored > 5, "{stored}");
    assert!(
        matches!(full.class(), ErrorClass::Transient | ErrorClass::Unknown),
        "{full:?}"
    );
    assert!(
        chain(&full).contains("the disk is full"),
        "{}",
        chain(&full)
    );
    assert_eq!(seqs(&store).await, (1..=stored).collect::<Vec<_>>());
    // Not only this process sees it so.
    drop(store);
    let store = disk.open().await;
    assert_eq!(seqs(&store).await, (1..=stored).collect::<Vec<_>>());

    fs::remove_file(&ballast).unwrap();
    // The event that was refused, and another: the first with the key that it had.
    assert_eq!(append(&store, stored + 1).await.unwrap(), stored + 1);
    assert_eq!(append(&store, stored + 1).await.unwrap(), stored + 1);
    assert_eq!(append(&store, stored + 2).await.unwrap(), stored + 2);
    assert_eq!(seqs(&store).await, (1..=stored + 2).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_disk_that_takes_no_writes_is_told_and_nothing_is_harmed() {
    let Some(disk) = SmallDisk::mount(4_096) else {
        return;
    };
    let store = disk.open().await;
    bootstrap(&store).await;
    append(&store, 1).await.unwrap();
    drop(store);

    disk.remount("ro");
    let before = fs::read(disk.file()).unwrap();
    let told = match SqliteStore::open(SqliteSettings::new(disk.file())).await {
        Err(refused) => {
            assert_eq!(refused.class(), ErrorClass::Caller, "{refused:?}");
            chain(&refused)
        }
        // The first write finds out.
        Ok(store) => {
            let refused = append(&store, 2).await.unwrap_err();
            assert_eq!(refused.class(), ErrorClass::Caller, "{refused:?}");
            chain(&refused)
        }
    };
    assert!(
        told.contains("this user must be able to write") || told.contains("is read-only"),
        "{told}"
    );
    assert!(fs::read(disk.file()).unwrap() == before);

    disk.remount("rw");
    let store = disk.open().await;
    assert_eq!(append(&store, 2).await.unwrap(), 2);
}
