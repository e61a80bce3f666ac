use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// A process that can be stopped and continued: while it is closed, no call of that process begins and no answer reaches it.
///
/// (No `tokio::sync::watch`: it wakes its waiters in an order that differs from play to play.)
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    closed: AtomicBool,
    opened_at: Mutex<Option<Instant>>,
    changed: Notify,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.set(true);
    }

    pub(crate) fn open(&self) {
        self.set(false);
    }

    /// Whether it was opened in this very moment.
    pub(crate) fn just_opened(&self) -> bool {
        let opened_at = self
            .0
            .opened_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *opened_at == Some(Instant::now())
    }

    fn set(&self, closed: bool) {
        if !closed {
            let mut opened_at = self
                .0
                .opened_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *opened_at = Some(Instant::now());
        }
        self.0.closed.store(closed, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// Goes on when it is open.
    pub(crate) async fn pass(&self) {
        self.wait(false).await;
    }

    /// Polls the future while it is open only.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            self.pass().await;
            tokio::select! {
                biased;
                () = self.wait(true) => {}
                done = &mut work => return done,
            }
        }
    }

    async fn wait(&self, closed: bool) {
        loop {
            // Before the look, so that no change is missed.
            let changed = self.0.changed.notified();
            if self.0.closed.load(Ordering::SeqCst) == closed {
                return;
            }
            changed.await;
        }
    }
}
