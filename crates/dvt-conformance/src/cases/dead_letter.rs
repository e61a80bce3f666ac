//! Events that could not be delivered, and what operators do about them.

use std::time::Duration;

use dvt_contracts::{
    DeadLetter, DeadLetterCause, DeadLetterQuery, FailOutcome, OnExhausted, OutboxError,
    OutboxStorageExt, Resolution, ResolutionKind, RunKey, Timestamp,
};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::{LONG, by_ann, by_bob, note, notes, policy, run_of, seqs};

/// Claims the run alone and lets its first event die a second time.
async fn kill_again(cx: &Cx, run: &RunKey) -> Result<(), Failure> {
    check_eq!(cx.kill(run).await?, 2, "number of the dead letter");
    Ok(())
}

/// park the run at exactly `max_attempts`, with its dead letter
///
/// CASES: H 74, J 89.
pub async fn run_is_parked_at_exactly_max_attempts(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;

    for number in 1..=2 {
        let lease = cx.claim_only(&run).await?.lease;
        let outcome = cx.fail(&lease, 2, 3).await?;
        check_matches!(
            outcome,
            FailOutcome::BackingOff { .. },
            "attempt {number} of 3"
        );
        cx.shift_clock(201).await?;
    }
    check_eq!(
        cx.letters().await?,
        [],
        "dead letters before the last attempt"
    );
    let lease = cx.claim_only(&run).await?.lease;
    let outcome = cx.fail(&lease, 2, 3).await?;

    check_eq!(
        outcome,
        FailOutcome::Parked { dead_letter_no: 1 },
        "attempt 3 of 3"
    );
    let found: Vec<_> = cx
        .letters()
        .await?
        .into_iter()
        .map(|letter| (letter.run, letter.run_seq))
        .collect();
    check_eq!(found, [(run, 2)], "run and event of the dead letters");
    cx.shift_clock(LONG).await?;
    check_eq!(cx.claim().await?, [], "claim long after");
    Ok(())
}

/// pass over the event at `max_attempts` under the policy `Skip`, with its dead letter, and go on
///
/// CASES: H 74.
pub async fn exhausted_event_is_passed_over_under_skip(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let skip = policy(2).with_on_exhausted(OnExhausted::Skip);
    let lease = cx.claim_only(&run).await?.lease;
    let first = cx
        .store
        .mark_failed(&lease, 2, &"no luck".into(), &skip)
        .await?;
    cx.shift_clock(101).await?;
    let lease = cx.claim_only(&run).await?.lease;

    let second = cx
        .store
        .mark_failed(&lease, 2, &"no luck".into(), &skip)
        .await?;

    check_matches!(first, FailOutcome::BackingOff { .. }, "attempt 1 of 2");
    check_eq!(
        second,
        FailOutcome::Skipped { dead_letter_no: 1 },
        "attempt 2 of 2"
    );
    let kinds: Vec<_> = cx
        .letters()
        .await?
        .into_iter()
        .map(|letter| {
            (
                letter.run_seq,
                letter.attempts,
                letter.resolution.map(|end| end.kind),
            )
        })
        .collect();
    let expected = [(2, 2, Some(ResolutionKind::Skipped))];
    check_eq!(
        kinds,
        expected,
        "event, attempts and end of the dead letters"
    );
    let next = cx.claim_only(&run).await?;
    check_eq!(seqs(&next.events), [3], "events claimed at once");
    check_eq!(next.attempts, 0, "attempts of the next event");
    Ok(())
}

/// tell of a dead letter its event, attempts, cause, error and time
pub async fn dead_letter_tells_what_happened(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let lease = cx.claim_only(&run).await?.lease;
    cx.store
        .mark_failed(&lease, 2, &"first".into(), &policy(2))
        .await?;
    cx.shift_clock(101).await?;
    let lease = cx.claim_only(&run).await?.lease;

    let before = cx.now("before").await?;
    cx.store
        .mark_failed(&lease, 2, &"second: é\u{fffd}\n'".into(), &policy(2))
        .await?;
    let after = cx.now("after").await?;
    cx.shift_clock(101).await?;

    let found = cx.letters().await?;
    let dead_at = found
        .first()
        .map_or(Timestamp::MIN, |letter| letter.dead_at);
    cx.check_moment(dead_at, Duration::ZERO, [before, after])?;
    let expected = DeadLetter {
        run,
        dead_letter_no: 1,
        run_seq: 2,
        attempts: 2,
        cause: DeadLetterCause::AttemptsExhausted,
        error: "second: é\u{fffd}\n'".into(),
        dead_at,
        resolution: None,
    };
    check_eq!(found, [expected], "dead letters");
    Ok(())
}

/// give pages of dead letters that fit together, open ones or one tenant's only if asked
pub async fn pages_of_dead_letters_fit_together(cx: &Cx) -> Result<(), Failure> {
    let mut expected = Vec::new();
    for (tenant_id, run_id) in [
        ("tenant", "a"),
        ("Tenant", "z"),
        ("tenant", "é"),
        ("tenant", "B"),
    ] {
        let run = run_of(tenant_id, run_id);
        cx.bootstrap(&run, notes(1, 2)).await?;
        for dead_letter_no in 1..=2 {
            let parked = cx.store.park_run(&run, &by_bob()).await?;
            expected.push((parked.run, parked.dead_letter_no, dead_letter_no == 2));
            if dead_letter_no == 1 {
                cx.store
                    .skip_dead_letter(&run, dead_letter_no, &by_bob())
                    .await?;
            }
        }
    }
    expected.sort();

    for (tenant, open_only, limit) in [
        (None, false, 3),
        (None, false, u32::MAX),
        (None, true, 2),
        (Some("tenant"), false, 2),
        (Some("Tenant"), true, 1),
        (Some("stranger"), false, 1),
    ] {
        let tenant_id = tenant.map(|tenant| run_of(tenant, "any").tenant_id);
        let mut query = DeadLetterQuery {
            tenant_id,
            open_only,
            after: None,
            limit,
        };
        let mut found = Vec::new();
        for _ in 0..10 {
            let page = cx.store.list_dead_letters(&query).await?;
            query.after = page
                .last()
                .map(|letter| (letter.run.clone(), letter.dead_letter_no));
            let last = page.len() < limit as usize;
            found.extend(page.into_iter().map(|letter| {
                (
                    letter.run,
                    letter.dead_letter_no,
                    letter.resolution.is_none(),
                )
            }));
            if last {
                break;
            }
        }
        let mut wanted = expected.clone();
        wanted.retain(|(run, _, open)| {
            tenant.is_none_or(|tenant| tenant == run.tenant_id.as_str()) && (*open || !open_only)
        });
        check_eq!(
            found,
            wanted,
            "pages of {limit}, of tenant {tenant:?}, only open: {open_only}"
        );
    }

    let none = DeadLetterQuery {
        limit: 0,
        ..DeadLetterQuery::default()
    };
    check_eq!(cx.store.list_dead_letters(&none).await?, [], "page of 0");

    // Beyond any number of a run: the next run follows.
    let (first, _, _) = &expected[0];
    let past = DeadLetterQuery {
        after: Some((first.clone(), u64::MAX)),
        limit: 1,
        ..DeadLetterQuery::default()
    };
    let next = cx.store.list_dead_letters(&past).await?;
    let next: Vec<_> = next
        .into_iter()
        .map(|letter| (letter.run, letter.dead_letter_no))
        .collect();
    let (second, _, _) = &expected[2];
    check_eq!(next, [(second.clone(), 1)], "the run after {first}");
    Ok(())
}

/// deliver the event of a retried dead letter again, the same as before, with attempts and last error set back
///
/// CASES: H 75, J 92.
pub async fn retried_event_goes_out_again_first(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    cx.kill_at(&run, 2).await?;
    cx.append(&run, vec![note("k4")]).await?;

    let before = cx.now("before").await?;
    let letter = cx.store.retry_dead_letter(&run, 1, &by_ann()).await?;
    let after = cx.now("after").await?;
    let errors: Vec<_> = cx
        .pending()
        .await?
        .into_iter()
        .map(|one| one.last_error)
        .collect();
    let claimed = cx.claim_only(&run).await?;

    let at = letter
        .resolution
        .as_ref()
        .map_or(Timestamp::MIN, |resolution| resolution.at);
    let retried = Resolution {
        kind: ResolutionKind::Retried,
        note: by_ann(),
        at,
    };
    cx.check_moment(at, Duration::ZERO, [before, after])?;
    check_eq!(letter.resolution, Some(retried), "end of the dead letter");
    check_eq!(seqs(&claimed.events), [2, 3, 4], "events claimed at once");
    let log = cx.log(&run).await?;
    check_eq!(
        Some(claimed.events.as_slice()),
        log.get(1..),
        "events as the log holds them"
    );
    check_eq!(claimed.attempts, 0, "attempts after the retry");
    check_eq!(errors, [None], "last error after the retry");
    Ok(())
}

/// answer a repeated retry or skip with the same dead letter, and change nothing
///
/// CASES: J 91.
pub async fn repeated_resolution_changes_nothing(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    cx.kill_at(&run, 1).await?;
    let first = cx.store.retry_dead_letter(&run, 1, &by_ann()).await?;
    let lease = cx.claim_only(&run).await?.lease;
    cx.fail(&lease, 1, 5).await?;
    let before = cx.pending().await?;
    cx.shift_clock(1).await?;

    let again = cx.store.retry_dead_letter(&run, 1, &by_bob()).await?;
    let after = cx.pending().await?;
    cx.shift_clock(LONG).await?;
    kill_again(cx, &run).await?;
    let skipped = cx.store.skip_dead_letter(&run, 2, &by_ann()).await?;
    let waiting = cx.pending().await?;
    let skipped_again = cx.store.skip_dead_letter(&run, 2, &by_bob()).await?;

    check_eq!(again, first, "dead letter in the second reply to a retry");
    check_eq!(after, before, "pending runs, of which one is backing off");
    check_eq!(
        skipped_again,
        skipped,
        "dead letter in the second reply to a skip"
    );
    check_eq!(
        cx.pending().await?,
        waiting,
        "pending runs after the second skip"
    );
    check_eq!(cx.letters().await?, [first, skipped], "dead letters");
    Ok(())
}

/// record a second dead letter when a retried event dies again, and keep the first
///
/// CASES: J 90.
pub async fn second_death_is_a_second_dead_letter(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;
    cx.kill_at(&run, 1).await?;
    let first = cx.store.retry_dead_letter(&run, 1, &by_ann()).await?;

    let second = cx.kill(&run).await?;

    let found = cx.letters().await?;
    check_eq!(second, 2, "number of the second dead letter");
    check_eq!(found.first(), Some(&first), "first dead letter");
    let told: Vec<_> = found
        .iter()
        .map(|letter| {
            (
                letter.dead_letter_no,
                letter.run_seq,
                letter.resolution.is_none(),
            )
        })
        .collect();
    check_eq!(
        told,
        [(1, 1, false), (2, 1, true)],
        "number, event and openness"
    );
    Ok(())
}

/// refuse to retry a skipped dead letter, or to skip a retried one, with `DeadLetterResolved`
pub async fn resolution_stands(cx: &Cx) -> Result<(), Failure> {
    let retried = cx.run_with("a", 2).await?;
    let skipped = cx.run_with("b", 2).await?;
    for run in [&retried, &skipped] {
        cx.store.park_run(run, &by_bob()).await?;
    }
    cx.store.retry_dead_letter(&retried, 1, &by_ann()).await?;
    cx.store.skip_dead_letter(&skipped, 1, &by_ann()).await?;
    let before = (cx.pending().await?, cx.letters().await?);

    check_matches!(
        cx.store.skip_dead_letter(&retried, 1, &by_bob()).await,
        Err(OutboxError::DeadLetterResolved {
            run, dead_letter_no: 1, resolved: ResolutionKind::Retried,
        }) if *run == retried,
        "skip of a retried dead letter"
    );
    check_matches!(
        cx.store.retry_dead_letter(&skipped, 1, &by_bob()).await,
        Err(OutboxError::DeadLetterResolved {
            run, dead_letter_no: 1, resolved: ResolutionKind::Skipped,
        }) if *run == skipped,
        "retry of a skipped dead letter"
    );

    let after = (cx.pending().await?, cx.letters().await?);
    check_eq!(
        after,
        before,
        "pending runs and dead letters after the refusals"
    );
    Ok(())
}

/// answer an unknown dead letter with `DeadLetterNotFound`
pub async fn unknown_dead_letter_is_not_found(cx: &Cx) -> Result<(), Failure> {
    let parked = cx.run_with("a", 2).await?;
    let namesake = run_of("other", "a");
    cx.store.park_run(&parked, &by_bob()).await?;
    cx.bootstrap(&namesake, notes(1, 2)).await?;
    let before = (cx.pending().await?, cx.letters().await?);

    for (run, number) in [
        (&parked, 0),
        (&parked, 2),
        (&parked, u64::MAX),
        (&namesake, 1),
    ] {
        check_matches!(
            cx.store.retry_dead_letter(run, number, &by_ann()).await,
            Err(OutboxError::DeadLetterNotFound { run: of, dead_letter_no })
                if of == run && *dead_letter_no == number,
            "retry of dead letter {number} of run {run}"
        );
        check_matches!(
            cx.store.skip_dead_letter(run, number, &by_ann()).await,
            Err(OutboxError::DeadLetterNotFound { run: of, dead_letter_no })
                if of == run && *dead_letter_no == number,
            "skip of dead letter {number} of run {run}"
        );
    }

    let after = (cx.pending().await?, cx.letters().await?);
    check_eq!(
        after,
        before,
        "pending runs and dead letters after the refusals"
    );
    Ok(())
}

/// move the cursor past a skipped event, never deliver it, and go on with the next one
pub async fn skipped_event_is_never_delivered(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    cx.kill_at(&run, 2).await?;

    let before = cx.now("before").await?;
    let letter = cx.store.skip_dead_letter(&run, 1, &by_bob()).await?;
    let after = cx.now("after").await?;
    let claimed = cx.claim_only(&run).await?;

    let at = letter
        .resolution
        .as_ref()
        .map_or(Timestamp::MIN, |resolution| resolution.at);
    let skipped = Resolution {
        kind: ResolutionKind::Skipped,
        note: by_bob(),
        at,
    };
    cx.check_moment(at, Duration::ZERO, [before, after])?;
    check_eq!(letter.resolution, Some(skipped), "end of the dead letter");
    check_eq!(seqs(&claimed.events), [3], "events claimed at once");
    check_eq!(claimed.attempts, 0, "attempts of the next event");
    cx.store.acknowledge(&claimed.lease, 3).await?;
    cx.shift_clock(LONG).await?;
    check_eq!(cx.claim().await?, [], "claim long after");
    Ok(())
}
