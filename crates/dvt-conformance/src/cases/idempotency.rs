//! What a known key does.

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, ConflictPolicy, Disposition, Event,
};
use dvt_contracts::{EventType, RunEvent, RunKey};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::{attempt, event, key, moment, note, notes, payload, seqs, step};

const SAME: Disposition = Disposition::Duplicate { same_content: true };
const OTHER: Disposition = Disposition::Duplicate {
    same_content: false,
};

fn dispositions(outcome: &AppendOutcome) -> Vec<Disposition> {
    outcome
        .events
        .iter()
        .map(|event| event.disposition)
        .collect()
}

fn stored(outcome: &AppendOutcome) -> Vec<RunEvent> {
    outcome
        .events
        .iter()
        .map(|event| event.stored.clone())
        .collect()
}

async fn reject(
    cx: &Cx,
    run: &RunKey,
    events: Vec<Event>,
) -> Result<Option<Result<AppendOutcome, AppendError>>, Failure> {
    let request = AppendRequest::new(run.clone(), events).on_conflict(ConflictPolicy::Reject);
    Ok(cx.store.append_batch(&[request]).await?.pop())
}

/// answer a known key with the stored event, as a duplicate
///
/// CASES: A 1, A 7.
pub async fn known_key_gets_the_stored_event(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let first = cx.append(&run, vec![note("k1")]).await?;
    cx.shift_clock(100).await?;

    let other = note("k1").with_payload(payload("\"other\""));
    let again = cx.append(&run, vec![note("k1")]).await?;
    let changed = cx.append(&run, vec![other]).await?;

    check_eq!(stored(&again), stored(&first), "event in the second reply");
    check_eq!(
        stored(&changed),
        stored(&first),
        "event in the reply to other content"
    );
    check_eq!(
        dispositions(&again),
        [SAME],
        "disposition of the same content"
    );
    check_eq!(
        dispositions(&changed),
        [OTHER],
        "disposition of other content"
    );
    check_eq!(cx.log(&run).await?, stored(&first), "log");
    Ok(())
}

/// tell of a duplicate whether event type, step, logical attempt and payload are the same, whatever else differs
///
/// CASES: A 3.
pub async fn duplicate_tells_whether_content_is_the_same(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let first = step(EventType::StepFailed, "s", "k1").with_payload(payload("{\"a\":1}"));
    cx.append(
        &run,
        vec![event(EventType::RunStarted, "start"), first.clone()],
    )
    .await?;
    let later = Event::new(
        EventType::StepFailed,
        first.step_id().cloned(),
        key("k1"),
        moment("2030-01-01T00:00:00Z"),
    );
    let retried = first.clone().with_engine_attempt(attempt(2));
    let retried_later = later.map(|event| event.with_payload(payload("{\"a\":1}")));
    let variants = vec![
        retried,
        retried_later.unwrap_or_else(|_| first.clone()),
        step(EventType::StepCompleted, "s", "k1").with_payload(payload("{\"a\":1}")),
        step(EventType::StepFailed, "t", "k1").with_payload(payload("{\"a\":1}")),
        first.clone().with_logical_attempt(attempt(2)),
        first.with_payload(payload("{\"a\": 1}")),
    ];

    let outcome = cx.append(&run, variants).await?;

    check_eq!(
        dispositions(&outcome),
        [SAME, SAME, OTHER, OTHER, OTHER, OTHER],
        "engine attempt, emitted_at, type, step, logical attempt, payload"
    );
    Ok(())
}

/// let a duplicate consume no `run_seq` and enqueue nothing
///
/// CASES: A 5.
pub async fn duplicates_consume_nothing(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    let claimed = cx.claim_only(&run).await?;
    dvt_contracts::OutboxStorageExt::acknowledge(&cx.store, &claimed.lease, 2).await?;

    let outcome = cx.append(&run, notes(1, 2)).await?;

    let claims = cx.claim().await?;
    let next = cx.append(&run, vec![note("x")]).await?;
    check_eq!(outcome.head, 2, "head after the duplicates");
    check_eq!(claims, [], "claims after the duplicates");
    check_eq!(next.head, 3, "head after the next event");
    Ok(())
}

/// treat a key repeated within a request as a duplicate of its first use
///
/// CASES: A 2.
pub async fn repeated_key_is_a_duplicate_of_its_first_use(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let other = note("k1").with_payload(payload("2"));

    let outcome = cx
        .append(&run, vec![note("k1"), note("k2"), other, note("k1")])
        .await?;

    let numbers: Vec<_> = outcome
        .events
        .iter()
        .map(|event| event.stored.run_seq)
        .collect();
    check_eq!(numbers, [1, 2, 1, 1], "numbers in the reply");
    check_eq!(
        dispositions(&outcome),
        [Disposition::Appended, Disposition::Appended, OTHER, SAME],
        "dispositions"
    );
    check_eq!(outcome.head, 2, "head");
    check_eq!(seqs(&cx.log(&run).await?), [1, 2], "log");
    Ok(())
}

/// append the unknown events of a partly known request right after the head
///
/// CASES: A 5.
pub async fn partly_known_request_appends_the_rest(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;

    let mixed = vec![note("x1"), note("k2"), note("x2"), note("k1")];
    let outcome = cx.append(&run, mixed).await?;

    let found: Vec<_> = outcome
        .events
        .iter()
        .map(|e| (e.stored.run_seq, e.is_duplicate()))
        .collect();
    check_eq!(
        found,
        [(4, false), (2, true), (5, false), (1, true)],
        "reply"
    );
    check_eq!(outcome.head, 5, "head");
    check_eq!(seqs(&cx.log(&run).await?), [1, 2, 3, 4, 5], "log");
    Ok(())
}

/// keep the same key in two runs apart
///
/// CASES: A 6.
pub async fn same_key_in_two_runs_is_two_events(cx: &Cx) -> Result<(), Failure> {
    let a = cx.run("a").await?;
    let b = cx.run("b").await?;

    let first = cx.append(&a, vec![note("k1")]).await?;
    let second = cx
        .append(&b, vec![note("k1").with_payload(payload("2"))])
        .await?;

    check_eq!(dispositions(&first), [Disposition::Appended], "first run");
    check_eq!(dispositions(&second), [Disposition::Appended], "second run");
    check_eq!(cx.log(&b).await?, stored(&second), "log of the second run");
    Ok(())
}

/// refuse a known key with other content under `Reject`, with the stored event, and write nothing of the request
///
/// CASES: A 3.
pub async fn reject_refuses_other_content(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let first = cx.append(&run, vec![note("k1")]).await?;

    let other = note("k1").with_payload(payload("\"other\""));
    let reply = reject(cx, &run, vec![note("x"), other]).await?;

    check_matches!(
        reply,
        Some(Err(AppendError::IdempotencyConflict { run: of, idempotency_key, stored: Some(found) }))
            if *of == run && *idempotency_key == key("k1") && stored(&first) == [(**found).clone()],
        "reply"
    );
    check_eq!(cx.log(&run).await?, stored(&first), "log");
    Ok(())
}

/// accept a known key with the same content under `Reject`
pub async fn reject_accepts_the_same_content(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;

    let again = note("k1").with_engine_attempt(attempt(2));
    let reply = reject(cx, &run, vec![again, note("x")]).await?;

    let reply = reply.map(|reply| reply.map(|outcome| (outcome.head, dispositions(&outcome))));
    check_eq!(
        reply,
        Some(Ok((2, vec![SAME, Disposition::Appended]))),
        "reply"
    );
    Ok(())
}

/// refuse a key repeated with other content within a request under `Reject`, and write nothing of it
pub async fn reject_refuses_a_key_repeated_with_other_content(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;

    let other = note("k1").with_payload(payload("2"));
    let reply = reject(cx, &run, vec![note("k1"), other]).await?;
    let same = reject(cx, &run, vec![note("k2"), note("k2")]).await?;

    check_matches!(
        reply,
        Some(Err(AppendError::IdempotencyConflict { run: of, idempotency_key, stored: None }))
            if *of == run && *idempotency_key == key("k1"),
        "reply to other content"
    );
    let same = same.map(|reply| reply.map(|outcome| (outcome.head, dispositions(&outcome))));
    check_eq!(
        same,
        Some(Ok((1, vec![Disposition::Appended, SAME]))),
        "reply to the same content"
    );
    Ok(())
}

/// compare identifiers and keys byte by byte, without normalisation, case folding or trimming
///
/// CASES: A 10, A 11.
pub async fn keys_are_compared_as_bytes(cx: &Cx) -> Result<(), Failure> {
    let names = [
        "key",
        "Key",
        "key ",
        " key",
        "key\u{a0}",
        "k\u{e9}y",
        "ke\u{301}y",
        "\u{212b}",
        "\u{c5}",
        "A\u{30a}",
        "straße",
        "strasse",
        "k%y",
        "k_y",
        "'key'",
        "\u{ff4b}ey",
        "ı",
        "i",
    ];
    let run = cx.run("a").await?;

    let keys = names
        .iter()
        .map(|name| note(name))
        .chain([note("key|"), note("|key")]);
    let outcome = cx.append(&run, keys.collect()).await?;
    for name in names {
        cx.run_with(name, 1).await?;
    }

    check_eq!(
        outcome.head,
        names.len() as u64 + 2,
        "events with distinct keys"
    );
    for name in names {
        check_eq!(
            cx.head(&crate::fixture::run(name)).await?,
            1,
            "head of run {name:?}"
        );
    }
    Ok(())
}
