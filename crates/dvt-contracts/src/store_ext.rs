use async_trait::async_trait;

use crate::append::{AppendOutcome, AppendRequest};
use crate::checkpoint::{CHECKPOINT_EVERY, Checkpoint};
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
            _ => Err(StoreError::bug(
                "append_batch",
                "one request, and not one reply",
            )),
        }
    }

    /// The run's state: its checkpoint, if there is a good one, and the log after it. Whoever reads much writes a little: when
    /// [`CHECKPOINT_EVERY`] events or more had to be folded, a checkpoint is saved for the next reader.
    ///
    /// A checkpoint that cannot be saved is nobody's failure: the state is told all the same. For those who must not write, or
    /// not wait for a write, there is [`read_state`](Self::read_state).
    ///
    /// # Errors
    /// Those of [`read_state`](Self::read_state).
    async fn load_state(&self, run: &RunKey) -> Result<RunState, StoreError> {
        let (state, folded) = read(self, run).await?;
        if folded >= CHECKPOINT_EVERY {
            // It is a gift: the store may be read-only, the run pruned, the state too large, another reader further.
            let _ = self.save_checkpoint(run, &Checkpoint::of(&state)).await;
        }
        Ok(state)
    }

    /// The same state, and nothing is written: for views, for roles and standbys that only read, and for those on whom an
    /// append waits.
    ///
    /// # Errors
    /// Those of [`list_events`](RunStateStore::list_events) and
    /// [`load_checkpoint`](RunStateStore::load_checkpoint), and `RunPruned` for a pruned run, which has no log to fold.
    async fn read_state(&self, run: &RunKey) -> Result<RunState, StoreError> {
        let (state, _) = read(self, run).await?;
        Ok(state)
    }
}

impl<T: RunStateStore + ?Sized> RunStateStoreExt for T {}

/// Checkpoint and tail: the state, and how many events had to be folded.
async fn read<S: RunStateStore + ?Sized>(
    store: &S,
    run: &RunKey,
) -> Result<(RunState, u64), StoreError> {
    let checkpoint = store.load_checkpoint(run).await?;
    let mut after = checkpoint
        .as_ref()
        .map_or(0, |checkpoint| checkpoint.run_seq);
    let mut page = store.list_events(run, after, MAX_PAGE).await?;
    let mut state = RunState::new();
    match checkpoint.and_then(|checkpoint| checkpoint.restore(page.head)) {
        Some(restored) => state = restored,
        None if after > 0 => {
            after = 0;
            page = store.list_events(run, after, MAX_PAGE).await?;
        }
        None => {}
    }
    let begin = after;
    loop {
        if let Some(pruned_at) = page.pruned_at {
            return Err(StoreError::RunPruned {
                run: run.clone(),
                pruned_at,
            });
        }
        page.events.iter().for_each(|event| state.fold(event));
        if page.is_last(after) || page.events.is_empty() {
            let folded = state.last_seq() - begin;
            return Ok((state, folded));
        }
        after = state.last_seq();
        page = store.list_events(run, after, MAX_PAGE).await?;
    }
}
