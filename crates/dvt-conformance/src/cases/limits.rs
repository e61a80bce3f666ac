//! The bounds of a call, the same in every store.

use dvt_contracts::{
    AppendRequest, InvalidCall, MAX_CALL_BYTES, MAX_CALL_EVENTS, MAX_PAGE, MAX_PAYLOAD_BYTES,
    Payload, PendingQuery, RunQuery, StoreError,
};

use crate::cx::{Cx, request};
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::{metadata, note, notes, payload, run, run_of, seqs};

fn of_size(bytes: usize) -> Payload {
    payload(&format!("\"{}\"", "x".repeat(bytes - 2)))
}

/// keep the longest identifiers and keys, in any script, as they were given
///
/// CASES: A 9.
pub async fn longest_names_survive(cx: &Cx) -> Result<(), Failure> {
    // 255 bytes each; the last is hard to compress, as some indexes would like it.
    let scattered: String = (0..255u32)
        .map(|n| char::from(b'0' + (n * n % 70).to_le_bytes()[0]))
        .map(|c| if c == '\\' { '~' } else { c })
        .collect();
    for name in [
        "x".repeat(255),
        "é".repeat(127) + "x",
        "世".repeat(85),
        scattered,
    ] {
        let run = run_of(&name, &name);
        let key = note(&name);

        cx.bootstrap(&run, Vec::new()).await?;
        cx.append(&run, vec![key.clone()]).await?;

        let log = cx.log(&run).await?;
        let stored: Vec<_> = log.iter().map(|event| event.event.clone()).collect();
        check_eq!(stored, [key], "log of run {name:?}");
        check_eq!(cx.store.get_run(&run).await?.run, run, "run in the record");
    }
    Ok(())
}

/// refuse a call with an empty request before executing any other
pub async fn empty_request_is_refused(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let request = |events| AppendRequest::new(run.clone(), events);

    let refused = cx
        .store
        .append_batch(&[request(notes(1, 2)), request(Vec::new())])
        .await;

    check_matches!(
        refused,
        Err(StoreError::Invalid(InvalidCall::EmptyRequest { index: 1 })),
        "reply"
    );
    check_eq!(cx.head(&run).await?, 0, "head");
    Ok(())
}

/// refuse a call with more than `MAX_CALL_EVENTS` events, and accept as many as that
///
/// CASES: C 30.
pub async fn events_of_a_call_are_bounded(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let other = cx.run("b").await?;
    let half = MAX_CALL_EVENTS / 2;
    let halves = |second| {
        [
            AppendRequest::new(run.clone(), notes(1, half)),
            AppendRequest::new(other.clone(), notes(1, second)),
        ]
    };

    let refused = cx.store.append_batch(&halves(half + 1)).await;
    let heads = (cx.head(&run).await?, cx.head(&other).await?);
    let refused_bootstrap = cx
        .store
        .bootstrap_run(&request(
            &crate::fixture::run("c"),
            notes(1, MAX_CALL_EVENTS + 1),
        ))
        .await;
    let accepted = cx.store.append_batch(&halves(half)).await?;

    check_matches!(
        refused,
        Err(StoreError::Invalid(InvalidCall::TooManyEvents {
            found: 1_001
        })),
        "reply to too many"
    );
    check_matches!(
        refused_bootstrap,
        Err(StoreError::Invalid(InvalidCall::TooManyEvents {
            found: 1_001
        })),
        "reply to a bootstrap of too many"
    );
    check_eq!(heads, (0, 0), "heads after the refusal");
    check_eq!(
        accepted.iter().filter(|reply| reply.is_ok()).count(),
        2,
        "accepted requests"
    );
    check_eq!(
        (cx.head(&run).await?, cx.head(&other).await?),
        (500, 500),
        "heads"
    );
    Ok(())
}

/// refuse a call with more than `MAX_CALL_BYTES` of payload, and accept as many as that
///
/// CASES: M 110.
pub async fn bytes_of_a_call_are_bounded(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let largest = of_size(MAX_PAYLOAD_BYTES);
    let full: Vec<_> = notes(1, MAX_CALL_BYTES / MAX_PAYLOAD_BYTES)
        .into_iter()
        .map(|event| event.with_payload(largest.clone()))
        .collect();
    let mut over = full.clone();
    over.push(note("over").with_payload(payload("1")));

    let refused = cx.append(&run, over).await;
    let head = cx.head(&run).await?;
    let accepted = cx.append(&run, full).await?;

    check_matches!(
        refused,
        Err(StoreError::Invalid(InvalidCall::TooManyBytes {
            found: 16_777_217
        })),
        "reply to too many"
    );
    check_eq!(head, 0, "head after the refusal");
    check_eq!(accepted.head, 16, "head after as many as allowed");
    Ok(())
}

/// hold a page of events to `MAX_PAGE` whatever the limit
///
/// CASES: B 22.
pub async fn page_of_events_is_bounded(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", MAX_CALL_EVENTS).await?;
    cx.append(&run, vec![note("one more")]).await?;

    let page = cx.store.list_events(&run, 0, u32::MAX).await?;

    check_eq!(page.events.len(), MAX_PAGE as usize, "events");
    check_eq!(seqs(&page.events).last(), Some(&1_000), "last event");
    check_eq!(page.head, 1_001, "head");
    Ok(())
}

/// end a page of events before its payloads exceed `MAX_PAGE_BYTES`
///
/// CASES: M 110.
pub async fn bytes_of_a_page_are_bounded(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");
    let largest = of_size(MAX_PAYLOAD_BYTES);
    let large = |from, to| -> Vec<_> {
        let events = notes(from, to).into_iter();
        events
            .map(|event| event.with_payload(largest.clone()))
            .collect()
    };
    cx.bootstrap(&run, large(1, 16)).await?;
    cx.append(&run, vec![note("small")]).await?;
    cx.append(&run, large(18, 18)).await?;

    let first = cx.store.list_events(&run, 0, 100).await?;
    let second = cx.store.list_events(&run, 1, 100).await?;
    let third = cx.store.list_events(&run, 16, 100).await?;

    check_eq!(
        seqs(&first.events),
        (1..=16).collect::<Vec<_>>(),
        "page of exactly the bound"
    );
    check_eq!(
        seqs(&second.events),
        (2..=17).collect::<Vec<_>>(),
        "page below the bound"
    );
    check_eq!(seqs(&third.events), [17, 18], "last page");
    check_eq!(
        cx.store.get_run(&run).await?.metadata,
        metadata(),
        "metadata"
    );
    Ok(())
}

/// hold listings and claims to `MAX_PAGE` and `MAX_CLAIM` runs whatever their limit
///
/// CASES: B 22, G 66.
pub async fn listings_and_claims_are_bounded(cx: &Cx) -> Result<(), Failure> {
    let one_more = MAX_PAGE + 1;
    for number in 0..one_more {
        cx.run_with(&format!("{number:04}"), 1).await?;
    }
    let query = RunQuery {
        limit: u32::MAX,
        ..RunQuery::new(run("any").tenant_id)
    };
    let pending = PendingQuery {
        limit: u32::MAX,
        ..PendingQuery::default()
    };

    let listed = cx.store.list_runs(&query).await?;
    let waiting = cx.store.list_pending(&pending).await?;
    let claimed = cx.claim_runs(u32::MAX).await?;
    let rest = cx.claim_runs(u32::MAX).await?;

    check_eq!(
        (listed.len(), waiting.len()),
        (1_000, 1_000),
        "listed and pending runs"
    );
    check_eq!((claimed.len(), rest.len()), (1_000, 1), "claimed runs");
    Ok(())
}
