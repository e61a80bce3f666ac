use std::time::Duration;

use async_trait::async_trait;

use crate::lease::{Acknowledgement, Lease, LeaseError};
use crate::outbox::OutboxStorage;
use crate::outbox_error::OutboxError;

/// Conveniences over [`OutboxStorage`], implemented for every outbox. Do not implement it yourself.
#[async_trait]
pub trait OutboxStorageExt: OutboxStorage {
    /// Acknowledges one run's events up to `through`.
    ///
    /// # Errors
    /// Those of [`mark_delivered`](OutboxStorage::mark_delivered), the lease's own among them.
    async fn acknowledge(&self, lease: &Lease, through: u64) -> Result<(), OutboxError> {
        let acknowledgement = Acknowledgement {
            lease: lease.clone(),
            through,
        };
        only(
            "mark_delivered",
            self.mark_delivered(&[acknowledgement]).await?,
        )
    }

    /// Lengthens one lease.
    ///
    /// # Errors
    /// Those of [`extend`](OutboxStorage::extend), the lease's own among them.
    async fn extend_one(&self, lease: &Lease, by: Duration) -> Result<Lease, OutboxError> {
        only(
            "extend",
            self.extend(std::slice::from_ref(lease), by).await?,
        )
    }

    /// Gives one run back.
    ///
    /// # Errors
    /// Those of [`release`](OutboxStorage::release), the lease's own among them.
    async fn release_one(&self, lease: &Lease) -> Result<(), OutboxError> {
        only("release", self.release(std::slice::from_ref(lease)).await?)
    }
}

impl<T: OutboxStorage + ?Sized> OutboxStorageExt for T {}

fn only<T>(
    operation: &'static str,
    mut replies: Vec<Result<T, LeaseError>>,
) -> Result<T, OutboxError> {
    match (replies.pop(), replies.is_empty()) {
        (Some(reply), true) => Ok(reply?),
        _ => Err(OutboxError::bug(operation, "one lease, and not one reply")),
    }
}
