use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dvt_contracts::{BoxError, Store};

use crate::harness::{Harness, QUIET};

/// Runs the suite with a layer over each handle on the store: `Through::new(harness, |store| Arc::new(Layer::new(store)))`.
pub struct Through<H> {
    harness: H,
    layer: fn(Arc<dyn Store>) -> Arc<dyn Store>,
    judges: bool,
}

impl<H> Through<H> {
    /// This harness, with what `layer` makes of its stores.
    pub fn new(harness: H, layer: fn(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        Self {
            harness,
            layer,
            judges: false,
        }
    }

    /// The same for a layer that refuses what the transition table does not allow.
    #[must_use]
    pub fn judging(self) -> Self {
        Self {
            judges: true,
            ..self
        }
    }
}

impl<H: fmt::Debug> fmt::Debug for Through<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through")
            .field("harness", &self.harness)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<H: Harness> Harness for Through<H> {
    type Space = H::Space;

    async fn create(&self) -> Result<H::Space, BoxError> {
        self.harness.create().await
    }

    async fn open(&self, space: &H::Space) -> Result<Arc<dyn Store>, BoxError> {
        Ok((self.layer)(self.harness.open(space).await?))
    }

    async fn shift_clock(&self, space: &H::Space, seconds: i64) -> Result<(), BoxError> {
        self.harness.shift_clock(space, seconds).await
    }

    async fn settle(&self, space: &H::Space) -> Result<(), BoxError> {
        // What the layer left running, and then what that left running below.
        tokio::time::sleep(QUIET).await;
        self.harness.settle(space).await
    }

    fn judges(&self) -> bool {
        self.judges || self.harness.judges()
    }

    fn time_precision(&self) -> std::time::Duration {
        self.harness.time_precision()
    }

    fn histories(&self) -> u32 {
        self.harness.histories()
    }

    fn shrinks(&self) -> u32 {
        self.harness.shrinks()
    }
}
