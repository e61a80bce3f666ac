use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{BoxError, Store};

/// After this a task of this process has done what it was about to do.
pub(crate) const QUIET: Duration = Duration::from_millis(10);

/// All that an adapter author writes: how to make, open and clean up a store, and how to move its clock.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Where one case's store lives: a schema, a folder, a shared state. Dropping it cleans up.
    type Space: Send + Sync + 'static;

    /// Makes a place with an empty store in it. Each case gets its own.
    async fn create(&self) -> Result<Self::Space, BoxError>;

    /// Opens a handle on the store. Cases open several and expect them to show the same content.
    async fn open(&self, space: &Self::Space) -> Result<Arc<dyn Store>, BoxError>;

    /// Moves the store's clock, for all handles, by this many seconds; backwards if negative. The clock may go on by
    /// itself meanwhile, as long as less than twenty seconds pass between two moves and in a random history.
    async fn shift_clock(&self, space: &Self::Space, seconds: i64) -> Result<(), BoxError>;

    /// Waits until everything has ended that calls left running whose futures were dropped: statements on their way, tasks,
    /// sessions. What does not end is an error. Unless it is said otherwise, all ends within 10 ms.
    async fn settle(&self, space: &Self::Space) -> Result<(), BoxError> {
        let _ = space;
        tokio::time::sleep(QUIET).await;
        Ok(())
    }

    /// The finest step of the store's clock.
    fn time_precision(&self) -> Duration {
        Duration::from_micros(1)
    }

    /// Whether the store refuses events that the transition table does not allow, as a guarding layer does: then the model
    /// test expects it to. Such a store waives the family `tolerant`.
    fn judges(&self) -> bool {
        false
    }

    /// How many random histories the model test plays.
    fn histories(&self) -> u32 {
        100
    }

    /// How many shorter histories the model test tries once one differs from the model.
    fn shrinks(&self) -> u32 {
        500
    }
}
