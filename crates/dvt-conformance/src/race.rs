//! Many callers at once, and callers that go away.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use dvt_contracts::Store;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::cx::Cx;
use crate::failure::Failure;

/// How many callers most races have.
pub(crate) const CALLERS: usize = 8;

/// Runs one future for each caller, each on its own handle, all starting together.
pub(crate) async fn race<T, F>(
    cx: &Cx,
    callers: usize,
    work: impl Fn(Arc<dyn Store>, usize) -> F + Send + Sync,
) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let gate = Arc::new(Gate::new(callers));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let work = work(cx.reopen().await?, caller);
        let gate = Arc::clone(&gate);
        tasks.spawn(async move {
            gate.pass().await;
            (caller, work.await)
        });
    }
    let mut results = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        let (caller, result) = joined?;
        results.push((caller, result?));
    }
    results.sort_by_key(|(caller, _)| *caller);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Polls a future at most so many times, then drops it where it stands.
pub(crate) async fn after_polls<F: Future + Send>(polls: usize, future: F) -> Option<F::Output> {
    struct Limited<F> {
        future: Pin<Box<F>>,
        polls: usize,
    }
    impl<F: Future> Future for Limited<F> {
        type Output = Option<F::Output>;
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            self.polls -= 1;
            match self.future.as_mut().poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if self.polls == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        }
    }
    if polls == 0 {
        return None;
    }
    pin!(Limited {
        future: Box::pin(future),
        polls
    })
    .await
}

/// A barrier that lets the callers go on in the order in which they came. tokio's own wakes them in a random order, and then
/// what a race finds on one thread would hang on luck.
struct Gate {
    callers: usize,
    arrived: AtomicUsize,
    open: Notify,
}

impl Gate {
    fn new(callers: usize) -> Self {
        Self {
            callers,
            arrived: AtomicUsize::new(0),
            open: Notify::new(),
        }
    }

    async fn pass(&self) {
        let mut open = pin!(self.open.notified());
        open.as_mut().enable();
        if self.arrived.fetch_add(1, Ordering::SeqCst) + 1 == self.callers {
            self.open.notify_waiters();
        } else {
            open.await;
        }
    }
}
