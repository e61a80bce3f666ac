//! The conformance suite on files.

use std::sync::Arc;

use dvt_adapter_sqlite::{ClockShift, SqliteSettings, SqliteStore};
use dvt_conformance::{Harness, Through, async_trait, suite};
use dvt_contracts::{BoxError, Store};
use dvt_layers::{GroupCommit, TransitionGuard};
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
