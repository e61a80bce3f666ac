use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use dvt_contracts::*;
use tokio::sync::{Semaphore, oneshot};

use crate::pass_on::passes_on;

mod flight;
mod queue;
mod worker;

use self::queue::{Queue, Waiting};
use self::worker::work;

/// Sends appends together that come while another is under way: one call of the store for many callers.
///
/// Clones share the queue. See the crate's documentation for what it promises.
pub struct GroupCommit<S> {
    shared: Arc<Shared<S>>,
}

/// What callers and the task share.
pub(crate) struct Shared<S> {
    store: S,
    queue: Queue,
    room: Arc<Semaphore>,
}

/// Room in units: one for each event, and one for each KiB of its payload.
const ROOM: usize = 65_536;

/// The task that made calls of the store is gone: it panicked, or its runtime was shut down.
#[derive(Debug, thiserror::Error)]
#[error("the task that sends appends ended early")]
struct TaskEnded;

impl<S: Store + 'static> GroupCommit<S> {
    /// Over this store, of which one call is made at a time.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self::with_flights(store, NonZeroUsize::MIN)
    }

    /// Over this store, of which up to so many calls are made at once, no two of them for the same run. A server with two
    /// cores or more is faster with two: one call computes while the other waits for the disk. A file with one writer is not.
    #[must_use]
    pub fn with_flights(store: S, flights: NonZeroUsize) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                queue: Queue::new(flights.get()),
                room: Arc::new(Semaphore::new(ROOM)),
            }),
        }
    }

    fn store(&self) -> &S {
        &self.shared.store
    }

    async fn bootstrap(&self, request: &BootstrapRequest) -> Result<BootstrapOutcome, StoreError> {
        self.store().bootstrap_run(request).await
    }

    async fn append(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        // Alone, before it can spoil anything for others.
        AppendRequest::check_call(requests)?;
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let room = Arc::clone(&self.shared.room);
        let Ok(room) = room.acquire_many_owned(room_of(requests)).await else {
            return Err(StoreError::bug("append_batch", "the room was closed"));
        };
        let (reply, answer) = oneshot::channel();
        let starts_task = self.shared.queue.push(Waiting {
            requests: requests.to_vec(),
            reply,
            failed_since: None,
            _room: room,
        });
        if starts_task {
            // Beside the caller, who may go away while others' requests are on their way too.
            tokio::spawn(work(Arc::clone(&self.shared)));
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::unknown("append_batch", TaskEnded)),
        }
    }
}

/// The room that requests take. A call never takes more than a third of what there is.
fn room_of(requests: &[AppendRequest]) -> u32 {
    let events = requests.iter().flat_map(|request| &request.events);
    let units: usize = events.map(|event| 1 + event.payload().size() / 1_024).sum();
    u32::try_from(units).unwrap_or(u32::MAX)
}

passes_on!(GroupCommit);

impl<S> Clone for GroupCommit<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for GroupCommit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCommit")
            .field("store", &self.shared.store)
            .field("queue", &self.shared.queue)
            .finish_non_exhaustive()
    }
}
