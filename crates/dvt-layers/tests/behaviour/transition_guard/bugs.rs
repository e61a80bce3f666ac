//! What goes wrong between a guard and its store, or between it and its callers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use dvt_conformance::async_trait;
use dvt_contracts::*;
use tokio::sync::Mutex;
use tokio::task::yield_now;

use super::real;
use crate::bug::{Bug, Replies};
use crate::slow::Slow;

/// Whether it was sent to append, and not only to find out what is known.
fn is_meant(request: &AppendRequest) -> bool {
    request.expected != Expected::At(u64::MAX)
}

#[derive(Debug)]
pub(super) struct Unconditional;

#[async_trait]
impl Bug for Unconditional {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut requests = requests.to_vec();
        for request in requests.iter_mut().filter(|request| is_meant(request)) {
            request.expected = Expected::Any;
        }
        below.append_batch(&requests).await
    }
}

#[derive(Debug)]
pub(super) struct ConflictIgnored;

#[async_trait]
impl Bug for ConflictIgnored {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = below.append_batch(requests).await?;
        for (request, reply) in requests.iter().zip(&mut replies) {
            if is_meant(request) && matches!(reply, Err(AppendError::VersionConflict { .. })) {
                let anywhere = request.clone().expecting(Expected::Any);
                *reply = below.append_batch(&[anywhere]).await?.remove(0);
            }
        }
        Ok(replies)
    }
}

#[derive(Debug)]
pub(super) struct ConflictIsFailure;

#[async_trait]
impl Bug for ConflictIsFailure {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let replies = below.append_batch(requests).await?;
        for (request, reply) in requests.iter().zip(&replies) {
            if is_meant(request) && matches!(reply, Err(AppendError::VersionConflict { .. })) {
                return Err(StoreError::transient("append_batch", "the log has gone on"));
            }
        }
        Ok(replies)
    }
}

#[derive(Debug, Default)]
pub(super) struct KeysAskedOnce(
    std::sync::Mutex<HashMap<IdempotencyKey, Result<AppendOutcome, AppendError>>>,
);

#[async_trait]
impl Bug for KeysAskedOnce {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = below.append_batch(requests).await?;
        let mut told = self.0.lock().unwrap();
        for (request, reply) in requests.iter().zip(&mut replies) {
            if let ([event], false) = (&request.events[..], is_meant(request)) {
                let key = event.idempotency_key().clone();
                *reply = told.entry(key).or_insert_with(|| reply.clone()).clone();
            }
        }
        Ok(replies)
    }
}

#[derive(Debug)]
pub(super) struct ConflictAtOnce;

#[async_trait]
impl Bug for ConflictAtOnce {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        if let [request] = requests
            && let Expected::At(expected) = request.expected
            && let Ok(record) = below.get_run(&request.run).await
            && record.head != expected
        {
            let (run, actual) = (request.run.clone(), record.head);
            return Ok(vec![Err(AppendError::VersionConflict {
                run,
                expected,
                actual,
            })]);
        }
        below.append_batch(requests).await
    }
}

#[derive(Debug)]
pub(super) struct JudgesFirst;

#[async_trait]
impl Bug for JudgesFirst {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        if let [request] = requests
            && let [event] = &request.events[..]
            && let Ok(state) = below.read_state(&request.run).await
            && let Err(illegal) = state.judge(event)
        {
            let (run, illegal) = (request.run.clone(), Box::new(illegal));
            return Ok(vec![Err(AppendError::IllegalTransition { run, illegal })]);
        }
        below.append_batch(requests).await
    }
}

#[derive(Debug)]
pub(super) struct ExpectsNothing;

#[async_trait]
impl Bug for ExpectsNothing {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let requests = requests.iter().cloned();
        let requests: Vec<_> = requests
            .map(|request| request.expecting(Expected::Any))
            .collect();
        below.append_batch(&requests).await
    }
}

#[derive(Debug)]
pub(super) struct OneByOne;

#[async_trait]
impl Bug for OneByOne {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = below.append_batch(requests).await?;
        for (request, reply) in requests.iter().zip(&mut replies) {
            if matches!(reply, Err(AppendError::IllegalTransition { .. })) {
                for event in &request.events {
                    let alone = AppendRequest::new(request.run.clone(), vec![event.clone()]);
                    *reply = below.append_batch(&[alone]).await?.remove(0);
                }
            }
        }
        Ok(replies)
    }
}

#[derive(Debug)]
pub(super) struct InSteps;

#[async_trait]
impl Bug for InSteps {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = Vec::new();
        for request in requests {
            let mut events = Vec::new();
            let mut head = 0;
            for event in request.events.iter().filter(|_| is_meant(request)) {
                let step = AppendRequest::new(request.run.clone(), vec![event.clone()]);
                yield_now().await;
                let outcome = below.append_and_enqueue(step).await?;
                events.extend(outcome.events);
                head = outcome.head;
            }
            replies.push(match is_meant(request) {
                true => Ok(AppendOutcome { head, events }),
                false => below
                    .append_batch(std::slice::from_ref(request))
                    .await?
                    .remove(0),
            });
        }
        Ok(replies)
    }
}

#[derive(Debug, Default)]
pub(super) struct GivesUp(AtomicBool);

#[async_trait]
impl Bug for GivesUp {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        if self.0.load(Ordering::SeqCst) {
            return Err(StoreError::transient(
                "append_batch",
                "the store has failed",
            ));
        }
        let replies = below.append_batch(requests).await;
        self.0.fetch_or(replies.is_err(), Ordering::SeqCst);
        replies
    }
}

#[derive(Debug)]
pub(super) struct AllAreRefused;

#[async_trait]
impl Bug for AllAreRefused {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = below.append_batch(requests).await?;
        if let Some(refusal) = replies.iter().find_map(|reply| reply.clone().err()) {
            replies.fill(Err(refusal));
        }
        Ok(replies)
    }
}

#[derive(Debug)]
pub(super) struct SaysNothingHappened;

#[async_trait]
impl Bug for SaysNothingHappened {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let replies = below.append_batch(requests).await;
        replies.map_err(|error| StoreError::transient("append_batch", error))
    }
}

#[derive(Debug)]
pub(super) struct Saves;

#[async_trait]
impl Bug for Saves {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let replies = below.append_batch(requests).await?;
        for request in requests {
            below.load_state(&request.run).await?;
        }
        Ok(replies)
    }
}

#[derive(Debug, Default)]
pub(super) struct OneLock(Mutex<()>);

#[async_trait]
impl Bug for OneLock {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let _locked = self.0.lock().await;
        below.append_batch(requests).await
    }
}

#[derive(Debug)]
pub(super) struct MakesRuns(pub(super) Slow);

#[async_trait]
impl Bug for MakesRuns {
    async fn bootstrap(
        &self,
        _: &dyn Store,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        self.0.bootstrap_run(request).await
    }
}

#[derive(Debug)]
pub(super) struct RemembersNothing(pub(super) Slow);

#[async_trait]
impl Bug for RemembersNothing {
    async fn append(&self, _: &dyn Store, requests: &[AppendRequest]) -> Replies {
        real(self.0.clone(), 1).append_batch(requests).await
    }
}
