use async_trait::async_trait;

use crate::append::{AppendOutcome, AppendRequest};
use crate::error_class::BoxError;
use crate::limits::MAX_PAGE;
use crate::run_key::RunKey;
use crate::run_state::RunState;
use crate::store::RunStateStore;
use crate::store_error::StoreError;

/// Conveniences over [`RunStateStore`], implemented for every store. Do not implement it yourself.
#[async_trait]
pub trait RunStateStoreExt: RunStateStore {
    /// Appends one request. The append is also the enqueue in the outbox.
    ///
    /// # Errors
    /// Those of [`append_batch`](RunStateStore::append_batch), the request's own among them.
    async fn append_and_enqueue(
        &self,
        request: AppendRequest,
    ) -> Result<AppendOutcome, StoreError> {
        let mut replies = self.append_batch(std::slice::from_ref(&request)).await?;
        match (replies.pop(), replies.is_empty()) {
            (Some(reply), true) => Ok(reply?),
            _ => Err(StoreError::Bug {
                operation: "append_batch",
                source: BoxError::from("one request, and not one reply"),
            }),
        }
    }

    /// The run's state: its checkpoint, if there is a good one, and the log after it.
    ///
    /// A pruned run has no log: its state is that of a run without events.
    ///
    /// # Errors
    /// Those of [`list_events`](RunStateStore::list_events) and
    /// [`load_checkpoint`](RunStateStore::load_checkpoint).
    async fn load_state(&self, run: &RunKey) -> Result<RunState, StoreError> {
        let head = self.get_run(run).await?.head;
        let checkpoint = self.load_checkpoint(run).await?;
        let mut state = checkpoint
            .and_then(|checkpoint| checkpoint.restore(head))
            .unwrap_or_default();
        loop {
            let after = state.last_seq();
            let page = self.list_events(run, after, MAX_PAGE).await?;
            page.events.iter().for_each(|event| state.fold(event));
            if page.is_last(after) || page.events.is_empty() {
                return Ok(state);
            }
        }
    }
}

impl<T: RunStateStore + ?Sized> RunStateStoreExt for T {}
