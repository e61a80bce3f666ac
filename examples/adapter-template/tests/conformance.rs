//! The proof: the conformance suite on this store.

use std::sync::Arc;

use dvt_adapter_template::{Clock, FileStore};
use dvt_conformance::{Harness, async_trait, suite};
use dvt_contracts::{BoxError, Store};
use tempfile::TempDir;

struct OneFile;

#[async_trait]
impl Harness for OneFile {
    type Space = (TempDir, Clock);

    async fn create(&self) -> Result<Self::Space, BoxError> {
        Ok((tempfile::tempdir()?, Clock::default()))
    }

    async fn open(&self, (folder, clock): &Self::Space) -> Result<Arc<dyn Store>, BoxError> {
        let store = FileStore::open_relaxed(folder.path().join("store.json"))?;
        Ok(Arc::new(store.with_clock(clock.clone())))
    }

    async fn shift_clock(&self, (_, clock): &Self::Space, seconds: i64) -> Result<(), BoxError> {
        clock.shift(seconds);
        Ok(())
    }
}

suite!(OneFile);
