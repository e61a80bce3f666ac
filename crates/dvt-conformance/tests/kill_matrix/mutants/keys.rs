//! Bugs in what a known key does.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::{Replies, log, rekey};
use super::{on_append, planted};
use crate::bug::Bug;

planted! {
    ContentIgnored => "calls every duplicate the same content",
    TimeIsContent => "calls a duplicate with another `emitted_at` other content",
    PayloadIsNoContent => "calls a duplicate with another payload the same content",
    RequestEchoed => "answers a duplicate with the caller's event instead of the stored one",
    DuplicateCalledNew => "tells of a duplicate that it was appended",
    DuplicateTakesANumber => "lets a duplicate take a `run_seq`",
    RepeatedKeyWrittenTwice => "writes a key twice that is repeated within a request",
    RestDropped => "answers a partly known request without writing its unknown events",
    KeysOfAllRuns => "takes a key that another run used for known",
    KeysFoldCase => "takes keys that differ in case for the same",
    KeysTrimmed => "takes keys that differ in spaces around them for the same",
    RejectIgnored => "lets the first write win under `Reject`",
    RejectRefusesAll => "refuses every duplicate under `Reject`",
    RejectSeesTheLogOnly => "does not see a key repeated with other content within a request under `Reject`",
    ConflictWithoutEvidence => "does not tell the stored event of an idempotency conflict",
}

/// The replies with every event changed, beside the event that the caller sent for it.
async fn with_replies(
    inner: &dyn Store,
    requests: &[AppendRequest],
    change: impl Fn(&Event, &mut Appended) + Send,
) -> Replies {
    let mut replies = inner.append_batch(requests).await;
    for (request, reply) in requests.iter().zip(replies.iter_mut().flatten()) {
        let events = reply.iter_mut().flat_map(|outcome| &mut outcome.events);
        request
            .events
            .iter()
            .zip(events)
            .for_each(|(sent, event)| change(sent, event));
    }
    replies
}

on_append!(ContentIgnored, |inner, requests| {
    with_replies(inner, requests, |_, event| {
        if event.is_duplicate() {
            event.disposition = Disposition::Duplicate { same_content: true };
        }
    })
    .await
});
on_append!(TimeIsContent, |inner, requests| {
    with_replies(inner, requests, |sent, event| {
        if event.is_duplicate() && sent.emitted_at() != event.stored.event.emitted_at() {
            event.disposition = Disposition::Duplicate {
                same_content: false,
            };
        }
    })
    .await
});
on_append!(PayloadIsNoContent, |inner, requests| {
    with_replies(inner, requests, |sent, event| {
        let stored = &event.stored.event;
        let same = sent
            .clone()
            .with_payload(stored.payload().clone())
            .same_content(stored);
        if event.is_duplicate() {
            event.disposition = Disposition::Duplicate { same_content: same };
        }
    })
    .await
});
on_append!(RequestEchoed, |inner, requests| {
    with_replies(inner, requests, |sent, event| {
        event.stored.event = sent.clone()
    })
    .await
});
on_append!(DuplicateCalledNew, |inner, requests| {
    with_replies(inner, requests, |_, event| {
        event.disposition = Disposition::Appended
    })
    .await
});
on_append!(RejectIgnored, |inner, requests| {
    let first_wins = |r: &AppendRequest| r.clone().on_conflict(ConflictPolicy::FirstWins);
    inner
        .append_batch(&requests.iter().map(first_wins).collect::<Vec<_>>())
        .await
});
on_append!(ConflictWithoutEvidence, |inner, requests| {
    let mut replies = inner.append_batch(requests).await?;
    for reply in &mut replies {
        if let Err(AppendError::IdempotencyConflict { stored, .. }) = reply {
            *stored = None;
        }
    }
    Ok(replies)
});
on_append!(RejectSeesTheLogOnly, |inner, requests| {
    let mut replies = Vec::new();
    for request in requests {
        let mut reply = inner.append_batch(std::slice::from_ref(request)).await?;
        if matches!(
            reply[..],
            [Err(AppendError::IdempotencyConflict { stored: None, .. })]
        ) {
            let first_wins = request.clone().on_conflict(ConflictPolicy::FirstWins);
            reply = inner.append_batch(&[first_wins]).await?;
        }
        replies.append(&mut reply);
    }
    Ok(replies)
});
on_append!(RejectRefusesAll, |inner, requests| {
    let mut replies = Vec::new();
    for request in requests {
        let log = log(inner, &request.run).await;
        let known = |event: &&Event| {
            log.iter()
                .any(|stored| stored.event.idempotency_key() == event.idempotency_key())
        };
        match request.events.iter().find(known) {
            Some(event) if request.on_conflict == ConflictPolicy::Reject => {
                let is_it =
                    |stored: &&RunEvent| stored.event.idempotency_key() == event.idempotency_key();
                replies.push(Err(AppendError::IdempotencyConflict {
                    run: request.run.clone(),
                    idempotency_key: event.idempotency_key().clone(),
                    stored: log.iter().find(is_it).cloned().map(Box::new),
                }));
            }
            _ => replies.extend(inner.append_batch(std::slice::from_ref(request)).await?),
        }
    }
    Ok(replies)
});
on_append!(DuplicateTakesANumber, |inner, requests| {
    let mut replies = inner.append_batch(requests).await;
    let mut filler = Vec::new();
    for (request, outcome) in requests.iter().zip(replies.iter_mut().flatten()) {
        let duplicate = outcome
            .iter()
            .flat_map(|o| &o.events)
            .find(|event| event.is_duplicate());
        if let Some(event) = duplicate {
            let number = event.stored.run_seq;
            let filled = rekey(&event.stored.event, |key| format!("{key} again {number}"));
            filler.push(AppendRequest::new(request.run.clone(), vec![filled]));
        }
    }
    inner.append_batch(&filler).await?;
    replies
});
on_append!(RepeatedKeyWrittenTwice, |inner, requests| {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        for index in 1..request.events.len() {
            let key = request.events[index].idempotency_key().clone();
            if request.events[..index]
                .iter()
                .any(|event| *event.idempotency_key() == key)
            {
                request.events[index] =
                    rekey(&request.events[index], |key| format!("{key} at {index}"));
            }
        }
    }
    inner.append_batch(&requests).await
});
on_append!(RestDropped, |inner, requests| {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        let log = log(inner, &request.run).await;
        let known = |event: &Event| {
            log.iter()
                .any(|stored| stored.event.idempotency_key() == event.idempotency_key())
        };
        if request.events.iter().any(known) {
            request.events.retain(known);
        }
    }
    inner.append_batch(&requests).await
});
on_append!(KeysFoldCase, |inner, requests| {
    let mut requests = requests.to_vec();
    for event in requests.iter_mut().flat_map(|request| &mut request.events) {
        *event = rekey(event, str::to_lowercase);
    }
    inner.append_batch(&requests).await
});
on_append!(KeysTrimmed, |inner, requests| {
    let mut requests = requests.to_vec();
    for event in requests.iter_mut().flat_map(|request| &mut request.events) {
        *event = rekey(event, |key| key.trim().to_owned());
    }
    inner.append_batch(&requests).await
});

#[derive(Debug, Default)]
struct KeysOfAllRuns(Mutex<HashMap<IdempotencyKey, (RunKey, RunEvent)>>);
#[async_trait]
impl Bug for KeysOfAllRuns {
    async fn append_batch(&self, inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = Vec::new();
        for request in requests {
            let elsewhere: Option<Vec<_>> = request
                .events
                .iter()
                .map(|event| {
                    let notes = self.0.lock().expect("notes");
                    let known = notes.get(event.idempotency_key());
                    known
                        .filter(|(run, _)| *run != request.run)
                        .map(|(_, stored)| Appended {
                            stored: stored.clone(),
                            disposition: Disposition::Duplicate {
                                same_content: event.same_content(&stored.event),
                            },
                        })
                })
                .collect();
            if let Some(events) = elsewhere {
                replies.push(Ok(AppendOutcome { head: 0, events }));
                continue;
            }
            for reply in inner.append_batch(std::slice::from_ref(request)).await? {
                for event in reply.iter().flat_map(|outcome| &outcome.events) {
                    let key = event.stored.event.idempotency_key().clone();
                    let place = (request.run.clone(), event.stored.clone());
                    self.0.lock().expect("notes").entry(key).or_insert(place);
                }
                replies.push(reply);
            }
        }
        Ok(replies)
    }
}
