use std::sync::Arc;

use dvt_contracts::Store;
use tokio::task::yield_now;

use super::Shared;
use super::queue::Queue;

/// Makes calls of the store until nothing waits.
pub(super) async fn work<S: Store>(shared: Arc<Shared<S>>) {
    let end = End(&shared.queue);
    loop {
        // Whoever is ready to call, too, comes along: else the first of those who were answered together would go alone, and the
        // others after it.
        yield_now().await;
        match shared.queue.take() {
            Some(flight) => flight.fly(&shared.store).await,
            None => break,
        }
    }
    // Somebody else may be at work by now.
    std::mem::forget(end);
}

/// Takes the task off the list when it ends in another way than by its end.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
