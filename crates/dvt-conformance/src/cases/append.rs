//! What `append_batch` writes and replies.

use dvt_contracts::{
    AppendError, AppendRequest, ConflictPolicy, Disposition, Event, EventType, Expected,
};

use crate::cx::Cx;
use crate::failure::{Failure, check, check_eq, check_matches};
use crate::fixture::{attempt, event, key, moment, note, notes, payload, run, seqs, step};

/// reply with each event as the log then holds it, with all that was given
///
/// CASES: A 1.
pub async fn reply_equals_the_log(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let full = step(EventType::StepFailed, "load", "k1")
        .with_engine_attempt(attempt(7))
        .with_logical_attempt(attempt(3))
        .with_payload(payload(r#"{"rows": 5}"#));
    let highest = event(EventType::RunStarted, "k2")
        .with_engine_attempt(attempt(i32::MAX.cast_unsigned()))
        .with_logical_attempt(attempt(i32::MAX.cast_unsigned()));

    let outcome = cx.append(&run, vec![highest.clone(), full.clone()]).await?;

    let log = cx.log(&run).await?;
    let replied: Vec<_> = outcome
        .events
        .iter()
        .map(|event| event.stored.clone())
        .collect();
    let stored: Vec<_> = log.iter().map(|event| event.event.clone()).collect();
    let dispositions: Vec<_> = outcome
        .events
        .iter()
        .map(|event| event.disposition)
        .collect();
    check_eq!(replied, log, "events in the reply against the log");
    check_eq!(stored, [highest, full], "events in the log");
    check_eq!(dispositions, [Disposition::Appended; 2], "dispositions");
    check_eq!(outcome.head, 2, "head in the reply");
    Ok(())
}

/// keep payloads byte for byte
///
/// CASES: M 110.
pub async fn payloads_survive_byte_for_byte(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    let texts = [
        r#"{"b":1,"a":2,"b":3}"#,
        r#"{ "n" : 1e100000, "m" : -0, "x": 1e400 , "y":1.10 }"#,
        "[9007199254740993, 1234567890123456789012345678901234567890]",
        "\"line\\nbreak \\u00e9 \\ud83d\\ude00 é \u{2028} \u{feff}\"",
        "{\n\t\"a\":\r\n1}",
        r#""\/ \\ \" '; DROP TABLE run_events; --""#,
        "null",
        "\"\"",
        &deep,
    ];
    let events = texts
        .iter()
        .enumerate()
        .map(|(index, text)| note(&format!("k{index}")).with_payload(payload(text)))
        .collect();

    cx.append(&run, events).await?;

    let log = cx.log(&run).await?;
    let stored: Vec<_> = log
        .iter()
        .map(|event| event.event.payload().as_str())
        .collect();
    check_eq!(stored, texts, "payloads in the log");
    Ok(())
}

/// keep `emitted_at` to the microsecond over the whole range of moments
///
/// CASES: M 112.
pub async fn emitted_at_survives(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let moments = [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000001Z",
        "1999-12-31T23:59:59.999999Z",
        "2000-02-29T12:00:00.100000Z",
        "2026-03-29T02:30:00.123457+02:00",
        "9999-12-31T23:59:59.999999Z",
    ]
    .map(moment);
    let events = moments.iter().enumerate().map(|(index, emitted_at)| {
        let kind = note("of the same type").event_type().clone();
        Event::new(kind, None, key(&format!("k{index}")), *emitted_at)
    });
    let events = events.collect::<Result<Vec<_>, _>>();

    cx.append(&run, events.unwrap_or_default()).await?;

    let log = cx.log(&run).await?;
    let stored: Vec<_> = log.iter().map(|event| event.event.emitted_at()).collect();
    check_eq!(stored, moments, "emitted_at in the log");
    Ok(())
}

/// let `persisted_at` never decrease within a run, even if the store's clock steps back
///
/// CASES: M 112.
pub async fn persisted_at_never_decreases(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;

    cx.shift_clock(-3600).await?;
    cx.append(&run, vec![note("back")]).await?;
    cx.shift_clock(7200).await?;
    cx.append(&run, vec![note("forth")]).await?;

    let log = cx.log(&run).await?;
    let times: Vec<_> = log.iter().map(|event| event.persisted_at).collect();
    check!(times.is_sorted(), "persisted_at went back: {times:?}");
    check!(
        times.first() < times.last(),
        "persisted_at stands still: {times:?}"
    );
    Ok(())
}

/// store and enqueue events of type `Other` like all others
pub async fn other_events_are_stored_and_enqueued(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let of_step = step(EventType::StepStarted, "s", "x").step_id().cloned();
    let emitted_at = moment("2026-01-02T03:04:05Z");
    let name = "naïve.событие/v2".parse::<EventType>();
    let other = name
        .ok()
        .and_then(|other| Event::new(other, of_step, key("k1"), emitted_at).ok());
    let events: Vec<_> = other
        .into_iter()
        .chain([event(EventType::RunStarted, "k2")])
        .collect();

    cx.append(&run, events.clone()).await?;

    let log = cx.log(&run).await?;
    let stored: Vec<_> = log.iter().map(|event| event.event.clone()).collect();
    let claimed = cx.claim_only(&run).await?;
    check_eq!(stored, events, "events in the log");
    check_eq!(claimed.events, log, "events in the claim");
    Ok(())
}

/// execute the requests of a call one after another, each seeing those before it
pub async fn requests_see_those_before_them(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let request = |events| AppendRequest::new(run.clone(), events);

    let replies = cx
        .store
        .append_batch(&[
            request(vec![note("k1")]).expecting(Expected::At(0)),
            request(vec![note("k2")]).expecting(Expected::At(1)),
            request(vec![note("k3")]).expecting(Expected::At(1)),
            request(vec![note("k1"), note("k4")]),
        ])
        .await?;

    let conflict = AppendError::VersionConflict {
        run: run.clone(),
        expected: 1,
        actual: 2,
    };
    let heads: Vec<_> = replies
        .into_iter()
        .map(|reply| reply.map(|outcome| outcome.head))
        .collect();
    let log = cx.log(&run).await?;
    let keys: Vec<_> = log
        .iter()
        .map(|event| event.event.idempotency_key().as_str())
        .collect();
    check_eq!(
        heads,
        [Ok(1), Ok(2), Err(conflict), Ok(3)],
        "heads in the replies"
    );
    check_eq!(keys, ["k1", "k2", "k4"], "keys in the log");
    Ok(())
}

/// refuse a request without touching its neighbours in the call
///
/// CASES: C 30.
pub async fn refused_request_fails_alone(cx: &Cx) -> Result<(), Failure> {
    let first = cx.run("a").await?;
    let last = cx.run("b").await?;
    let missing = run("missing");

    let replies = cx
        .store
        .append_batch(&[
            AppendRequest::new(first.clone(), notes(1, 2)),
            AppendRequest::new(missing.clone(), notes(1, 2)),
            AppendRequest::new(last.clone(), notes(1, 2)),
        ])
        .await?;

    let heads: Vec<_> = replies
        .into_iter()
        .map(|reply| reply.map(|outcome| outcome.head))
        .collect();
    let refused = Err(AppendError::RunNotFound { run: missing });
    check_eq!(heads, [Ok(2), refused, Ok(2)], "heads in the replies");
    check_eq!(
        seqs(&cx.log(&first).await?),
        [1, 2],
        "log of the run before"
    );
    check_eq!(seqs(&cx.log(&last).await?), [1, 2], "log of the run after");
    Ok(())
}

/// write all events of a request or none
///
/// CASES: C 25, C 30.
pub async fn requests_are_all_or_nothing(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;
    let mut events = notes(2, 1_000);
    events.push(note("k1").with_payload(payload("\"other\"")));
    let request = AppendRequest::new(run.clone(), events).on_conflict(ConflictPolicy::Reject);

    let reply = cx.store.append_batch(&[request]).await?.pop();

    check_matches!(
        reply,
        Some(Err(AppendError::IdempotencyConflict { run: of, idempotency_key, .. }))
            if *of == run && idempotency_key.as_str() == "k1",
        "reply"
    );
    check_eq!(seqs(&cx.log(&run).await?), [1], "log after the refusal");
    check_eq!(cx.head(&run).await?, 1, "head after the refusal");
    Ok(())
}

/// answer a call without requests with an empty reply
pub async fn empty_call_is_answered_empty(cx: &Cx) -> Result<(), Failure> {
    let replies = cx.store.append_batch(&[]).await?;

    check_eq!(replies, [], "replies");
    Ok(())
}
