//! The conformance suite on files.

use std::sync::Arc;
use std::time::Duration;

use dvt_adapter_sqlite::{ClockShift, SqliteSettings, SqliteStore};
use dvt_conformance::faults::{after_polls, campaigns, dropped_everywhere};
use dvt_conformance::fixture::{metadata, notes, run};
use dvt_conformance::{Harness, Through, async_trait, suite};
use dvt_contracts::{BootstrapRequest, BoxError, RunStateStore as _, Store};
use dvt_layers::{GroupCommit, TransitionGuard};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

struct Sqlite;

/// A folder for each case; its file is made by the case's first write.
struct Space {
    folder: TempDir,
    clock: ClockShift,
}

#[async_trait]
impl Harness for Sqlite {
    type Space = Space;

    async fn create(&self) -> Result<Space, BoxError> {
        Ok(Space {
            folder: tempfile::tempdir()?,
            clock: ClockShift::default(),
        })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        let settings = SqliteSettings::new(space.folder.path().join("dvt.db"));
        let settings = settings.with_clock_shift(space.clock.clone());
        Ok(Arc::new(SqliteStore::open(settings).await?))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        space.clock.advance(seconds);
        Ok(())
    }

    /// Whoever gets the file's lock knows that nobody else is in a transaction that writes.
    async fn settle(&self, space: &Space) -> Result<(), BoxError> {
        let file = SqliteConnectOptions::new()
            .filename(space.folder.path().join("dvt.db"))
            .busy_timeout(Duration::from_secs(10));
        let mut alone = SqliteConnection::connect_with(&file).await?;
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut alone).await?;
        sqlx::query("ROLLBACK").execute(&mut alone).await?;
        Ok(alone.close().await?)
    }
}

suite!(Sqlite);

/// The same through layers.
mod group_commit {
    use super::*;

    suite!(Through::new(Sqlite, |store| Arc::new(GroupCommit::new(
        store
    ))));
}

mod transition_guard {
    use super::*;

    suite!(
        Through::new(Sqlite, |store| Arc::new(TransitionGuard::new(store))).judging(),
        waive: { tolerant::status_is_the_tolerant_fold => "the guard refuses the events that this is about" }
    );
}

/// CASES D 32. With one connection that writes, a call that kept it would end the test.
#[tokio::test]
async fn calls_may_be_dropped_at_every_await() {
    println!("{}", dropped_everywhere(Arc::new(Sqlite)).await.unwrap());
}

#[tokio::test]
async fn nothing_is_lost_under_faults() {
    let sqlite = Arc::new(Sqlite);
    campaigns(sqlite, 3, |faulty| Arc::new(faulty))
        .await
        .unwrap();
}

#[tokio::test]
async fn opening_and_closing_may_be_dropped_at_every_await() {
    let (folder, mut drops) = (tempfile::tempdir().unwrap(), 0);
    let settings = || SqliteSettings::new(folder.path().join("dvt.db"));
    let request = |number: usize| BootstrapRequest {
        run: run(&format!("run {number}")),
        metadata: metadata(),
        events: notes(1, 2),
    };
    for polls in 0.. {
        let opened = after_polls(polls, SqliteStore::open(settings())).await;
        let ended = opened.is_some();
        let store = match opened {
            Some(opened) => opened.unwrap(),
            None => SqliteStore::open(settings()).await.unwrap(),
        };
        store.bootstrap_run(&request(polls)).await.unwrap();
        let closed = after_polls(polls, store.close()).await.is_some();
        store.close().await;
        store.bootstrap_run(&request(polls)).await.unwrap_err();
        drops += 2 - usize::from(ended) - usize::from(closed);

        let again = SqliteStore::open(settings()).await.unwrap();
        assert_eq!(
            again
                .get_run(&run(&format!("run {polls}")))
                .await
                .unwrap()
                .head,
            2
        );
        again.close().await;
        if ended && closed {
            break;
        }
    }
    println!("{drops} dropped");
    assert!(drops > 2);
}
