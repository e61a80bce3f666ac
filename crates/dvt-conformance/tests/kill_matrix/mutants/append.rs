//! Bugs in what appends write and reply.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::{Replies, accepted, append_each, change_event, clock, log, rekey};
use super::{on_append, planted};
use crate::bug::Bug;

planted! {
    EngineAttemptForgotten => "stores every event with engine attempt 1",
    LogicalAttemptForgotten => "stores every event with logical attempt 1",
    MinusZeroNormalised => "turns `-0` in payloads into `0`, as a binary JSON column does",
    EmittedAtInNanoseconds => "keeps `emitted_at` as 64-bit nanoseconds, which end in 2262",
    PersistedAtFollowsTheClock => "takes `persisted_at` from the clock even if it stepped back",
    OtherLosesItsStep => "stores events of type `Other` without their step",
    OtherNotEnqueued => "hands out no event of type `Other` that follows a known type",
    JudgedUpFront => "judges all requests of a call against the heads before the call",
    RefusalSpreads => "refuses a whole call if one of its runs is missing",
    HalfARequest => "keeps the events before the one that a request is refused for",
    EmptyCallRefused => "refuses a call without requests",
    EventsBackwards => "writes the events of an append in reverse",
    PrunedIsMissing => "answers appends to a pruned run as if it had never been there",
    EmptyRequestSkipped => "passes over an empty request and executes the others",
    NoEventLimit => "takes any number of events in a call",
    EventLimitOffByOne => "refuses a call with exactly as many events as are allowed",
    NoByteLimit => "takes any number of payload bytes in a call",
    LongKeysCut => "cuts keys after 200 bytes",
    ExpectedIgnored => "ignores what a request expects of the head",
    ZeroMeansAny => "takes `Expected::At(0)` for no expectation",
    FutureHeadAccepted => "accepts an expected head that lies ahead",
    ConflictTellsNothing => "tells 0 as the actual head of a version conflict",
    ExpectedBeforeDuplicates => "checks the expected head before it looks the keys up",
    PartlyKnownPasses => "does not hold a partly known request to its expected head",
    EqualHeadRefused => "refuses an expected head of 0 for an empty log",
}

/// Appends the requests with every event changed.
async fn with_events(
    inner: &dyn Store,
    requests: &[AppendRequest],
    change: impl Fn(&Event) -> Event + Send,
) -> Replies {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        request.events = request.events.iter().map(&change).collect();
    }
    inner.append_batch(&requests).await
}

on_append!(EngineAttemptForgotten, |inner, requests| {
    with_events(inner, requests, |event| {
        event.clone().with_engine_attempt(Attempt::FIRST)
    })
    .await
});
on_append!(LogicalAttemptForgotten, |inner, requests| {
    with_events(inner, requests, |event| {
        event.clone().with_logical_attempt(Attempt::FIRST)
    })
    .await
});
on_append!(MinusZeroNormalised, |inner, requests| {
    with_events(inner, requests, |event| {
        let text = event.payload().as_str().replace("-0", "0");
        event
            .clone()
            .with_payload(Payload::new(text).expect("still JSON"))
    })
    .await
});
on_append!(EmittedAtInNanoseconds, |inner, requests| {
    let last = Timestamp::from_micros(i64::MAX / 1_000).expect("in range");
    with_events(inner, requests, |event| {
        change_event(
            event,
            event.step_id().cloned(),
            event.idempotency_key().clone(),
            event.emitted_at().min(last),
        )
    })
    .await
});
on_append!(OtherLosesItsStep, |inner, requests| {
    with_events(inner, requests, |event| match event.event_type() {
        EventType::Other(_) => change_event(
            event,
            None,
            event.idempotency_key().clone(),
            event.emitted_at(),
        ),
        _ => event.clone(),
    })
    .await
});
on_append!(LongKeysCut, |inner, requests| {
    with_events(inner, requests, |event| {
        rekey(event, |key| key.chars().take(66).collect())
    })
    .await
});
on_append!(EventsBackwards, |inner, requests| {
    let mut requests = requests.to_vec();
    requests
        .iter_mut()
        .for_each(|request| request.events.reverse());
    let mut replies = inner.append_batch(&requests).await;
    accepted(&mut replies).for_each(|outcome| outcome.events.reverse());
    replies
});
on_append!(JudgedUpFront, |inner, requests| {
    let mut judged = Vec::new();
    for request in requests {
        let head = inner
            .get_run(&request.run)
            .await
            .map_or(0, |record| record.head);
        judged.push(match request.expected {
            Expected::At(expected) if expected == head => request.clone().expecting(Expected::Any),
            Expected::At(_) => request.clone().expecting(Expected::At(u64::MAX)),
            Expected::Any => request.clone(),
        });
    }
    inner.append_batch(&judged).await
});
on_append!(RefusalSpreads, |inner, requests| {
    for request in requests {
        if matches!(
            inner.get_run(&request.run).await,
            Err(StoreError::RunNotFound { .. })
        ) {
            let refused = AppendError::RunNotFound {
                run: request.run.clone(),
            };
            return Ok(vec![Err(refused); requests.len()]);
        }
    }
    inner.append_batch(requests).await
});
on_append!(HalfARequest, |inner, requests| {
    let replies = inner.append_batch(requests).await?;
    for (request, reply) in requests.iter().zip(&replies) {
        if let Err(AppendError::IdempotencyConflict {
            idempotency_key, ..
        }) = reply
        {
            let before = request
                .events
                .iter()
                .take_while(|e| e.idempotency_key() != idempotency_key);
            let events: Vec<_> = before.cloned().collect();
            if !events.is_empty() {
                inner
                    .append_batch(&[AppendRequest::new(request.run.clone(), events)])
                    .await?;
            }
        }
    }
    Ok(replies)
});
on_append!(EmptyCallRefused, |inner, requests| {
    if requests.is_empty() {
        return Err(InvalidCall::EmptyRequest { index: 0 }.into());
    }
    inner.append_batch(requests).await
});
on_append!(PrunedIsMissing, |inner, requests| {
    let mut replies = inner.append_batch(requests).await?;
    for reply in &mut replies {
        if let Err(AppendError::RunPruned { run, .. }) = reply {
            *reply = Err(AppendError::RunNotFound { run: run.clone() });
        }
    }
    Ok(replies)
});
on_append!(EmptyRequestSkipped, |inner, requests| {
    let some: Vec<_> = requests
        .iter()
        .filter(|r| !r.events.is_empty())
        .cloned()
        .collect();
    inner.append_batch(&some).await
});
on_append!(NoEventLimit, |inner, requests| {
    match inner.append_batch(requests).await {
        Err(StoreError::Invalid(InvalidCall::TooManyEvents { .. })) => {
            append_each(inner, requests).await
        }
        replies => replies,
    }
});
on_append!(EventLimitOffByOne, |inner, requests| {
    let found = requests.iter().map(|request| request.events.len()).sum();
    if found >= MAX_CALL_EVENTS {
        return Err(InvalidCall::TooManyEvents { found }.into());
    }
    inner.append_batch(requests).await
});
on_append!(NoByteLimit, |inner, requests| {
    match inner.append_batch(requests).await {
        Err(StoreError::Invalid(InvalidCall::TooManyBytes { .. })) => {
            let halves: Vec<_> = requests
                .iter()
                .flat_map(|request| request.events.chunks(request.events.len().div_ceil(2)))
                .zip(requests.iter().cycle())
                .map(|(half, request)| AppendRequest::new(request.run.clone(), half.to_vec()))
                .collect();
            append_each(inner, &halves).await
        }
        replies => replies,
    }
});
on_append!(ExpectedIgnored, |inner, requests| {
    let any: Vec<_> = requests
        .iter()
        .map(|r| r.clone().expecting(Expected::Any))
        .collect();
    inner.append_batch(&any).await
});
on_append!(ZeroMeansAny, |inner, requests| {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        if request.expected == Expected::At(0) {
            request.expected = Expected::Any;
        }
    }
    inner.append_batch(&requests).await
});
on_append!(FutureHeadAccepted, |inner, requests| {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        let head = inner
            .get_run(&request.run)
            .await
            .map_or(0, |record| record.head);
        if matches!(request.expected, Expected::At(expected) if expected > head) {
            request.expected = Expected::Any;
        }
    }
    inner.append_batch(&requests).await
});
on_append!(ConflictTellsNothing, |inner, requests| {
    let mut replies = inner.append_batch(requests).await?;
    for reply in &mut replies {
        if let Err(AppendError::VersionConflict { actual, .. }) = reply {
            *actual = 0;
        }
    }
    Ok(replies)
});
on_append!(ExpectedBeforeDuplicates, |inner, requests| {
    let mut replies = Vec::new();
    for request in requests {
        let head = inner.get_run(&request.run).await.map(|record| record.head);
        match (request.expected, head) {
            (Expected::At(expected), Ok(actual)) if expected != actual => {
                let run = request.run.clone();
                replies.push(Err(AppendError::VersionConflict {
                    run,
                    expected,
                    actual,
                }));
            }
            _ => replies.extend(inner.append_batch(std::slice::from_ref(request)).await?),
        }
    }
    Ok(replies)
});
on_append!(PartlyKnownPasses, |inner, requests| {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        let log = log(inner, &request.run).await;
        let known = |event: &Event| {
            log.iter()
                .any(|stored| stored.event.idempotency_key() == event.idempotency_key())
        };
        if request.events.iter().any(known) {
            request.expected = Expected::Any;
        }
    }
    inner.append_batch(&requests).await
});
on_append!(EqualHeadRefused, |inner, requests| {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        if request.expected == Expected::At(0) {
            request.expected = Expected::At(u64::MAX);
        }
    }
    inner.append_batch(&requests).await
});

#[derive(Debug, Default)]
struct PersistedAtFollowsTheClock(Mutex<HashMap<(RunKey, u64), Timestamp>>);
#[async_trait]
impl Bug for PersistedAtFollowsTheClock {
    async fn append_batch(&self, inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let now = clock(inner).await;
        let mut replies = inner.append_batch(requests).await;
        for (request, outcome) in requests.iter().zip(replies.iter_mut().flatten()) {
            let events = outcome.iter_mut().flat_map(|outcome| &mut outcome.events);
            for event in events.filter(|event| !event.is_duplicate()) {
                event.stored.persisted_at = now;
                let place = (request.run.clone(), event.stored.run_seq);
                self.0.lock().expect("notes").insert(place, now);
            }
        }
        replies
    }
    async fn list_events(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError> {
        let mut page = inner.list_events(run, after_seq, limit).await?;
        for event in &mut page.events {
            if let Some(time) = self
                .0
                .lock()
                .expect("notes")
                .get(&(run.clone(), event.run_seq))
            {
                event.persisted_at = *time;
            }
        }
        Ok(page)
    }
}

#[derive(Debug, Default)]
struct OtherNotEnqueued;
#[async_trait]
impl Bug for OtherNotEnqueued {
    async fn claim(
        &self,
        inner: &dyn Store,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, OutboxError> {
        let mut claimed = inner.claim(request).await?;
        for run in &mut claimed {
            if run
                .events
                .iter()
                .any(|e| !matches!(e.event.event_type(), EventType::Other(_)))
            {
                run.events
                    .retain(|e| !matches!(e.event.event_type(), EventType::Other(_)));
            }
        }
        Ok(claimed)
    }
}
