use std::sync::Arc;

use async_trait::async_trait;
use dvt_contracts::{BoxError, Store};

use crate::harness::Harness;

/// Runs the suite with one more `Arc<dyn Store>` between the cases and the store: proves that the ports are
/// object-safe and that their forwarding impls forward.
#[derive(Debug, Clone, Copy)]
pub struct ThroughArc<H>(pub H);

#[async_trait]
impl<H: Harness> Harness for ThroughArc<H> {
    type Space = H::Space;

    async fn create(&self) -> Result<H::Space, BoxError> {
        self.0.create().await
    }

    async fn open(&self, space: &H::Space) -> Result<Arc<dyn Store>, BoxError> {
        let store: Arc<dyn Store> = self.0.open(space).await?;
        // The outer `Arc` holds an `Arc<dyn Store>`, which is a store through the forwarding impl.
        Ok(Arc::new(store))
    }

    async fn shift_clock(&self, space: &H::Space, seconds: i64) -> Result<(), BoxError> {
        self.0.shift_clock(space, seconds).await
    }

    fn time_precision(&self) -> std::time::Duration {
        self.0.time_precision()
    }

    fn histories(&self) -> u32 {
        self.0.histories()
    }

    fn shrinks(&self) -> u32 {
        self.0.shrinks()
    }
}
