use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{AppendRequest, ErrorClass, Store, StoreError};
use tokio::time::Instant;

use super::Shared;
use super::queue::{Queue, Waiting};

/// For how long the reason of a failure is looked for among those who went out together.
const ISOLATE_WITHIN: Duration = Duration::from_secs(1);

/// Makes calls of the store until nothing waits.
pub(super) async fn work<S: Store>(shared: Arc<Shared<S>>) {
    let end = End(&shared.queue);
    while let Some(flight) = shared.queue.take() {
        fly(&shared, flight).await;
    }
    // Somebody else may be at work by now.
    std::mem::forget(end);
}

/// Frees the queue when the work ends in another way than by its end.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

async fn fly<S: Store>(shared: &Shared<S>, mut flight: Vec<Waiting>) {
    let counts: Vec<usize> = flight
        .iter()
        .map(|waiting| waiting.requests.len())
        .collect();
    let begun = Instant::now();
    let answer = match &mut flight[..] {
        [alone] => shared.store.append_batch(&alone.requests).await,
        _ => {
            let together: Vec<AppendRequest> = flight
                .iter()
                .flat_map(|waiting| waiting.requests.iter().cloned())
                .collect();
            shared.store.append_batch(&together).await
        }
    };
    match answer {
        Ok(replies) if replies.len() == counts.iter().sum::<usize>() => {
            shared.queue.widen();
            let mut replies = replies.into_iter();
            for (waiting, count) in flight.into_iter().zip(counts) {
                // Whoever went away does not hear it.
                let _ = waiting
                    .reply
                    .send(Ok(replies.by_ref().take(count).collect()));
            }
        }
        Ok(replies) => {
            let found = format!(
                "{} requests, {} replies",
                counts.iter().sum::<usize>(),
                replies.len()
            );
            tell_all(flight, &StoreError::bug("append_batch", found));
        }
        Err(error) => {
            shared.queue.narrow(flight.len());
            if may_be_one_of(&flight, &error, begun) {
                for waiting in &mut flight {
                    waiting.failed_since.get_or_insert(begun);
                }
                shared.queue.put_back(flight);
            } else {
                tell_all(flight, &error);
            }
        }
    }
}

/// Whether one of several may be the reason, and it is early enough to find out which. Of an unknown outcome the others
/// have to be told: it may be theirs.
fn may_be_one_of(flight: &[Waiting], error: &StoreError, begun: Instant) -> bool {
    let first = flight
        .iter()
        .filter_map(|waiting| waiting.failed_since)
        .min();
    let since = first.unwrap_or(begun);
    flight.len() > 1 && error.class() != ErrorClass::Unknown && since.elapsed() < ISOLATE_WITHIN
}

fn tell_all(flight: Vec<Waiting>, error: &StoreError) {
    for waiting in flight {
        let _ = waiting.reply.send(Err(error.clone()));
    }
}
