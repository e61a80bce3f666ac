//! The campaign under faults, and whether it notices: layers and relays with one planted bug each, between the faulty store and
//! those who call it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use dvt_conformance::faults::{FaultStore, Toll, campaign, campaigns};
use dvt_conformance::{Failure, fixture};
use dvt_contracts::*;

use crate::bug::Mutant;
use crate::matrix::Mutated;
use crate::mutants::tools::{Replies, append_each, rekey};
use crate::mutants::{CONTROL, Planted, on, on_append, planted};

/// Each bug must be found within so many campaigns.
const BUDGET: u64 = 10;

type Faulty = FaultStore<Arc<dyn Store>>;

async fn played(seed: u64, bug: &Planted) -> Result<Toll, Failure> {
    let memory = Arc::new(Mutated(CONTROL.make));
    let make = bug.make;
    let layer = move |inner: Faulty| -> Arc<dyn Store> {
        Arc::new(Mutant {
            inner: Arc::new(inner),
            bug: make(),
        })
    };
    campaign(&memory, seed, layer).await
}

#[tokio::test(start_paused = true)]
async fn a_store_without_bugs_loses_nothing() {
    let memory = Arc::new(Mutated(CONTROL.make));
    campaigns(memory, 50, |faulty| Arc::new(faulty))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_seed_plays_the_same_campaign_again() {
    let first = played(7, &CONTROL).await.unwrap();
    let second = played(7, &CONTROL).await.unwrap();
    assert_eq!(first, second);
}

/// By its first word, a failure names what became of an event.
#[tokio::test(start_paused = true)]
async fn every_planted_bug_is_noticed() {
    let mut unnoticed = Vec::new();
    for bug in PLANTED {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for seed in 1..=BUDGET {
            if let Err(failure) = played(seed, bug).await {
                let text = failure.to_string();
                let word = text.split(": ").nth(1).unwrap_or_default().to_owned();
                *found.entry(word).or_default() += 1;
            }
        }
        println!("{}: {}: {found:?} in {BUDGET} campaigns", bug.name, bug.bug);
        let named = [
            "lost",
            "gap",
            "doubled",
            "changed",
            "reordered",
            "torn",
            "phantom",
            "undelivered",
        ];
        if !found.keys().any(|word| named.contains(&word.as_str())) {
            unnoticed.push((bug.name, found));
        }
    }
    assert_eq!(unnoticed, Vec::new());
}

planted! {
    RetriesWithNewKeys => "after an unknown outcome it sends the events again under new keys",
    SwallowsUnknown => "it answers an unknown outcome as a success",
    CallsUnknownTransient => "it answers an unknown outcome as if nothing was written",
    SendsRequestsInParts => "it sends the events of a request one by one",
    AnswersBeforeItWrites => "it answers at once, and writes when the next call comes",
    RemembersWhatFailed => "it remembers keys before it knows that they are stored",
    GivesUpOnNeighbours => "it answers all requests of a call with the reply to the first",
    AcknowledgesWhatItClaims => "it acknowledges before it publishes",
    AcknowledgesAllOfIt => "it acknowledges all that it claimed, whatever the sink stored",
    AcknowledgesWhatItGivesBack => "it acknowledges what it should give back",
    AcknowledgesWhatFailed => "it acknowledges the event that failed",
    PassesTheHoleOn => "it leaves out the first event of a claim",
}

/// The reply to a call that never came back, as the caller would like it to be.
async fn made_up(inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
    let mut replies = Vec::new();
    for request in requests {
        let head = inner.get_run(&request.run).await.map_or(0, |run| run.head);
        let events = request.events.iter().zip(head + 1..);
        let events: Vec<_> = events
            .map(|(event, run_seq)| Appended {
                stored: RunEvent {
                    run_seq,
                    persisted_at: Timestamp::MIN,
                    event: event.clone(),
                },
                disposition: Disposition::Appended,
            })
            .collect();
        replies.push(Ok(AppendOutcome {
            head: head + events.len() as u64,
            events,
        }));
    }
    Ok(replies)
}

fn is_unknown(replies: &Replies) -> bool {
    matches!(replies, Err(error) if error.class() == ErrorClass::Unknown)
}

on_append!(RetriesWithNewKeys, |inner, requests| {
    let mut requests = requests.to_vec();
    loop {
        let mut replies = inner.append_batch(&requests).await;
        if is_unknown(&replies) {
            for event in requests.iter_mut().flat_map(|request| &mut request.events) {
                *event = rekey(event, |key| format!("{key}'"));
            }
            continue;
        }
        // Its caller sees the keys that it sent.
        for outcome in replies.iter_mut().flatten().flatten() {
            for appended in &mut outcome.events {
                let event = &appended.stored.event;
                appended.stored.event = rekey(event, |key| key.trim_end_matches('\'').to_owned());
            }
        }
        return replies;
    }
});

on_append!(SwallowsUnknown, |inner, requests| {
    let replies = inner.append_batch(requests).await;
    match is_unknown(&replies) {
        true => made_up(inner, requests).await,
        false => replies,
    }
});

on_append!(CallsUnknownTransient, |inner, requests| {
    let replies = inner.append_batch(requests).await;
    match is_unknown(&replies) {
        true => Err(StoreError::transient("append_batch", "try again")),
        false => replies,
    }
});

on_append!(SendsRequestsInParts, |inner, requests| {
    let mut replies = Vec::new();
    for request in requests {
        let mut whole = AppendOutcome {
            head: 0,
            events: Vec::new(),
        };
        let mut refused = None;
        for event in &request.events {
            let part = AppendRequest {
                events: vec![event.clone()],
                expected: Expected::Any,
                ..request.clone()
            };
            match append_each(inner, &[part]).await?.remove(0) {
                Ok(outcome) => {
                    whole.head = outcome.head;
                    whole.events.extend(outcome.events);
                }
                Err(error) => refused = Some(error),
            }
        }
        replies.push(refused.map_or(Ok(whole), Err));
    }
    Ok(replies)
});

#[derive(Debug, Default)]
struct AnswersBeforeItWrites {
    late: Mutex<Vec<AppendRequest>>,
}

#[async_trait]
impl crate::bug::Bug for AnswersBeforeItWrites {
    async fn append_batch(&self, inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let late = std::mem::replace(&mut *self.late.lock().unwrap(), requests.to_vec());
        let _ = inner.append_batch(&late).await;
        made_up(inner, requests).await
    }
}

#[derive(Debug, Default)]
struct RemembersWhatFailed {
    known: Mutex<BTreeSet<(RunKey, IdempotencyKey)>>,
}

#[async_trait]
impl crate::bug::Bug for RemembersWhatFailed {
    async fn append_batch(&self, inner: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let keys = requests.iter().flat_map(|request| {
            let keys = request.events.iter().map(Event::idempotency_key);
            keys.map(|key| (request.run.clone(), key.clone()))
        });
        let all_known = {
            let mut known = self.known.lock().unwrap();
            keys.filter(|key| known.insert(key.clone())).count() == 0
        };
        match all_known {
            true => made_up(inner, requests).await,
            false => inner.append_batch(requests).await,
        }
    }
}

on_append!(GivesUpOnNeighbours, |inner, requests| {
    let mut replies = append_each(inner, &requests[..1]).await?;
    replies.extend(made_up(inner, &requests[1..]).await?);
    Ok(replies)
});

async fn acknowledge(inner: &dyn Store, lease: &Lease, through: u64) -> Result<(), OutboxError> {
    match inner.acknowledge(lease, through).await {
        Ok(()) | Err(OutboxError::Lease(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

on!(
    AcknowledgesWhatItClaims,
    claim(request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError>,
    |inner| {
        let claimed = inner.claim(request).await?;
        for run in &claimed {
            let _ = acknowledge(inner, &run.lease, run.lease.last_seq).await;
        }
        Ok(claimed)
    }
);

on!(
    AcknowledgesAllOfIt,
    mark_delivered(acknowledgements: &[Acknowledgement]) -> Result<Vec<Result<(), LeaseError>>, OutboxError>,
    |inner| {
        let all = acknowledgements.iter().map(|one| Acknowledgement {
            through: one.lease.last_seq,
            lease: one.lease.clone(),
        });
        let all: Vec<_> = all.collect();
        inner.mark_delivered(&all).await
    }
);

on!(
    AcknowledgesWhatItGivesBack,
    release(leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError>,
    |inner| {
        let all = leases.iter().map(|lease| Acknowledgement {
            through: lease.last_seq,
            lease: lease.clone(),
        });
        let all: Vec<_> = all.collect();
        inner.mark_delivered(&all).await
    }
);

on!(
    AcknowledgesWhatFailed,
    mark_failed(lease: &Lease, seq: u64, error: &SafeText, policy: &RetryPolicy) -> Result<FailOutcome, OutboxError>,
    |inner| {
        let _ = (error, policy);
        acknowledge(inner, lease, seq).await?;
        let until = fixture::moment("2026-01-01T00:00:00Z");
        Ok(FailOutcome::BackingOff { until })
    }
);

on!(
    PassesTheHoleOn,
    claim(request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError>,
    |inner| {
        let mut claimed = inner.claim(request).await?;
        for run in &mut claimed {
            if run.events.len() > 1 {
                run.events.remove(0);
            }
        }
        Ok(claimed)
    }
);
