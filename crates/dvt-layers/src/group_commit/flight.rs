use std::collections::HashSet;
use std::time::Duration;

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, ErrorClass, RunKey, Store, StoreError,
};
use tokio::time::Instant;

use super::queue::{Queue, Waiting};

/// For how long the reason of a failure is looked for among those who went out together.
const ISOLATE_WITHIN: Duration = Duration::from_secs(1);

/// Calls that go out together. Their runs are busy until it is dropped, and callers without an answer are told then by their
/// channels.
#[derive(Debug)]
pub(super) struct Flight<'q> {
    queue: &'q Queue,
    calls: Vec<Waiting>,
    runs: HashSet<RunKey>,
    /// Whether the calls wait for another flight when this one has ended.
    goes_again: bool,
}

impl<'q> Flight<'q> {
    pub(super) fn new(queue: &'q Queue, calls: Vec<Waiting>, runs: HashSet<RunKey>) -> Self {
        Self {
            queue,
            calls,
            runs,
            goes_again: false,
        }
    }

    /// Makes one call of the store for all, and answers them.
    pub(super) async fn fly<S: Store>(mut self, store: &S) {
        let begun = Instant::now();
        let answer = match &self.calls[..] {
            [alone] => store.append_batch(&alone.requests).await,
            _ => {
                let together: Vec<AppendRequest> = self
                    .calls
                    .iter()
                    .flat_map(|call| call.requests.iter().cloned())
                    .collect();
                store.append_batch(&together).await
            }
        };
        match answer {
            Ok(replies) => {
                self.queue.widen();
                self.tell_each(replies);
            }
            Err(error) => {
                self.queue.narrow(self.calls.len());
                if self.may_be_one_of_them(&error, begun) {
                    for call in &mut self.calls {
                        call.failed_since.get_or_insert(begun);
                    }
                    self.goes_again = true;
                } else {
                    self.tell_all(&error);
                }
            }
        }
    }

    /// Whether one of several may be the reason, and it is early enough to find out which. Of an unknown outcome the others
    /// have to be told: it may be theirs.
    fn may_be_one_of_them(&self, error: &StoreError, begun: Instant) -> bool {
        let first = self.calls.iter().filter_map(|call| call.failed_since).min();
        let since = first.unwrap_or(begun);
        self.calls.len() > 1
            && error.class() != ErrorClass::Unknown
            && since.elapsed() < ISOLATE_WITHIN
    }

    fn tell_each(mut self, replies: Vec<Result<AppendOutcome, AppendError>>) {
        let requests: usize = self.calls.iter().map(|call| call.requests.len()).sum();
        if replies.len() != requests {
            let found = format!("{requests} requests, {} replies", replies.len());
            return self.tell_all(&StoreError::bug("append_batch", found));
        }
        let calls = self.end();
        let mut replies = replies.into_iter();
        for call in calls {
            let its_own = replies.by_ref().take(call.requests.len()).collect();
            // Whoever went away does not hear it.
            let _ = call.reply.send(Ok(its_own));
        }
    }

    fn tell_all(mut self, error: &StoreError) {
        for call in self.end() {
            let _ = call.reply.send(Err(error.clone()));
        }
    }

    /// The next flight may take these runs. The calls, unless they go again.
    fn end(&mut self) -> Vec<Waiting> {
        let calls = std::mem::take(&mut self.calls);
        let (over, again) = match self.goes_again {
            true => (Vec::new(), calls),
            false => (calls, Vec::new()),
        };
        self.queue
            .end(&std::mem::take(&mut self.runs), &over, again);
        over
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
