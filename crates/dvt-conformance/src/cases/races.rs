//! Many callers at once: barriers and arithmetic, no sleeping.

use std::collections::BTreeSet;

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Disposition, EventPage, Expected, FailOutcome,
    LeaseError, OutboxError, RunEvent, RunStateStoreExt,
};

use crate::audit::audit;
use crate::cx::{Cx, request};
use crate::failure::{Failure, check, check_eq};
use crate::fixture::{note, notes, policy, run, seqs};
use crate::race::{CALLERS, after_polls, race};

fn numbers(outcomes: &[AppendOutcome]) -> Vec<u64> {
    outcomes
        .iter()
        .flat_map(|outcome| &outcome.events)
        .map(|event| event.stored.run_seq)
        .collect()
}

/// let exactly one of several concurrent equal bootstraps create the run
///
/// CASES: A 12.
pub async fn concurrent_bootstraps_make_one_run(cx: &Cx) -> Result<(), Failure> {
    let run = run("a");
    let call = request(&run, notes(1, 2));

    let outcomes = race(cx, CALLERS, |store, _| {
        let call = call.clone();
        async move { Ok(store.bootstrap_run(&call).await?) }
    })
    .await?;

    let created = outcomes.iter().filter(|outcome| outcome.created).count();
    let times: BTreeSet<_> = outcomes.iter().map(|outcome| outcome.created_at).collect();
    check_eq!(created, 1, "bootstraps that created the run");
    check_eq!(times.len(), 1, "creation times in the replies");
    check_eq!(seqs(&cx.log(&run).await?), [1, 2], "log");
    Ok(())
}

/// number the appends of concurrent writers to a run densely, each reply telling its own number
///
/// CASES: B 14.
pub async fn concurrent_appends_are_dense(cx: &Cx) -> Result<(), Failure> {
    const EACH: usize = 10;
    let run = cx.run("a").await?;

    let outcomes = race(cx, CALLERS, |store, caller| {
        let run = run.clone();
        async move {
            let mut outcomes = Vec::new();
            for number in 0..EACH {
                let events = vec![note(&format!("{caller}/{number}"))];
                let request = AppendRequest::new(run.clone(), events);
                outcomes.push(store.append_and_enqueue(request).await?);
            }
            Ok(outcomes)
        }
    })
    .await?;

    let log = cx.log(&run).await?;
    let mut replied: Vec<RunEvent> = Vec::new();
    for outcomes in outcomes {
        check!(
            numbers(&outcomes).is_sorted(),
            "one caller's numbers: {:?}",
            numbers(&outcomes)
        );
        replied.extend(
            outcomes
                .into_iter()
                .flat_map(|o| o.events)
                .map(|event| event.stored),
        );
    }
    replied.sort_by_key(|event| event.run_seq);
    check_eq!(
        seqs(&log),
        (1..=(CALLERS * EACH) as u64).collect::<Vec<_>>(),
        "numbers in the log"
    );
    check_eq!(replied, log, "events in the replies against the log");
    Ok(())
}

/// write one event for concurrent appends of one key, and give all of them that event
///
/// CASES: A 4.
pub async fn one_key_is_written_once(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;

    let outcomes = race(cx, CALLERS, |store, _| {
        let request = AppendRequest::new(run.clone(), vec![note("x")]);
        async move { Ok(store.append_and_enqueue(request).await?) }
    })
    .await?;

    let written = |outcome: &&AppendOutcome| outcome.events.iter().any(|e| !e.is_duplicate());
    check_eq!(
        outcomes.iter().filter(written).count(),
        1,
        "replies that wrote"
    );
    check_eq!(numbers(&outcomes), [2; CALLERS], "numbers in the replies");
    check_eq!(seqs(&cx.log(&run).await?), [1, 2], "log");
    Ok(())
}

/// let exactly one of several concurrent appends at one head win
///
/// CASES: B 18.
pub async fn one_append_at_a_head_wins(cx: &Cx) -> Result<(), Failure> {
    const ROUNDS: u64 = 5;
    let run = cx.run("a").await?;

    for head in 0..ROUNDS {
        let replies = race(cx, CALLERS, |store, caller| {
            let events = vec![note(&format!("{head}/{caller}"))];
            let request = AppendRequest::new(run.clone(), events).expecting(Expected::At(head));
            async move { Ok(store.append_batch(&[request]).await?) }
        })
        .await?;

        let (won, lost): (Vec<_>, Vec<_>) = replies
            .into_iter()
            .flatten()
            .partition(|reply| reply.is_ok());
        let conflict = AppendError::VersionConflict {
            run: run.clone(),
            expected: head,
            actual: head + 1,
        };
        check_eq!(won.len(), 1, "appends that won at {head}");
        check_eq!(
            lost,
            vec![Err(conflict); CALLERS - 1],
            "appends that lost at {head}"
        );
    }
    check_eq!(cx.head(&run).await?, ROUNDS, "head");
    Ok(())
}

/// give concurrent copies of one conditional append the same reply, never a conflict
///
/// CASES: A 4, B 18.
pub async fn copies_of_a_conditional_append_agree(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;

    let outcomes = race(cx, CALLERS, |store, _| {
        let events = vec![note("x"), note("y")];
        let request = AppendRequest::new(run.clone(), events).expecting(Expected::At(2));
        async move { Ok(store.append_and_enqueue(request).await?) }
    })
    .await?;

    check_eq!(
        numbers(&outcomes),
        [3, 4].repeat(CALLERS),
        "numbers in the replies"
    );
    check_eq!(cx.head(&run).await?, 4, "head");
    Ok(())
}

/// finish concurrent calls that name the same runs in different orders
///
/// CASES: B 21.
pub async fn crosswise_calls_finish(cx: &Cx) -> Result<(), Failure> {
    const EACH: usize = 10;
    let (a, b) = (cx.run("a").await?, cx.run("b").await?);

    race(cx, CALLERS, |store, caller| {
        let mut runs = [a.clone(), b.clone()];
        async move {
            for number in 0..EACH {
                runs.reverse();
                let events = || vec![note(&format!("{caller}/{number}"))];
                let requests = runs.clone().map(|run| AppendRequest::new(run, events()));
                for reply in store.append_batch(&requests).await? {
                    reply?;
                }
            }
            Ok(())
        }
    })
    .await?;

    let dense: Vec<_> = (1..=(CALLERS * EACH) as u64).collect();
    check_eq!(seqs(&cx.log(&a).await?), dense, "first log");
    check_eq!(seqs(&cx.log(&b).await?), dense, "second log");
    Ok(())
}

/// read the head and the events at one moment, also while writers append
///
/// CASES: B 23, C 29.
pub async fn pages_do_not_tear(cx: &Cx) -> Result<(), Failure> {
    const EACH: u64 = 20;
    let run = cx.run("a").await?;

    let pages = race(cx, 4, |store, caller| {
        let run = run.clone();
        async move {
            let mut pages: Vec<EventPage> = Vec::new();
            for number in 0..EACH {
                if caller % 2 == 0 {
                    let events = vec![
                        note(&format!("{caller}/{number}/1")),
                        note(&format!("{caller}/{number}/2")),
                    ];
                    store
                        .append_and_enqueue(AppendRequest::new(run.clone(), events))
                        .await?;
                } else {
                    pages.push(store.list_events(&run, 0, 1_000).await?);
                }
            }
            Ok(pages)
        }
    })
    .await?;

    for pages in &pages {
        for page in pages {
            check_eq!(
                seqs(&page.events),
                (1..=page.head).collect::<Vec<_>>(),
                "page up to its head"
            );
            check_eq!(page.head % 2, 0, "half an append in a page");
        }
        let heads: Vec<_> = pages.iter().map(|page| page.head).collect();
        check!(heads.is_sorted(), "one reader's heads: {heads:?}");
    }
    check_eq!(cx.head(&run).await?, 4 * EACH, "head");
    Ok(())
}

/// do a call wholly or not at all when its future is dropped at any await
///
/// CASES: D 32.
pub async fn dropped_calls_are_whole_or_nothing(cx: &Cx) -> Result<(), Failure> {
    for polls in 1..=64 {
        let run = run(&format!("run {polls}"));
        let call = request(&run, notes(1, 2));
        let bootstrapped = after_polls(polls, cx.store.bootstrap_run(&call))
            .await
            .is_some();
        let again = cx.store.bootstrap_run(&call).await?;
        check_eq!(
            again.events.iter().filter(|e| e.is_duplicate()).count() % 2,
            0,
            "bootstrap"
        );

        let append = [AppendRequest::new(
            run.clone(),
            vec![note("x"), note("y"), note("z")],
        )];
        let appended = after_polls(polls, cx.store.append_batch(&append))
            .await
            .is_some();
        let mut dispositions = Vec::new();
        for reply in cx.store.append_batch(&append).await? {
            dispositions.extend(reply?.events.iter().map(|event| event.disposition));
        }
        let whole = [Disposition::Duplicate { same_content: true }; 3];
        let nothing = [Disposition::Appended; 3];
        check!(
            dispositions == whole || (dispositions == nothing && !appended),
            "half an append was there: {dispositions:?}"
        );
        check_eq!(seqs(&cx.log(&run).await?), [1, 2, 3, 4, 5], "log");

        // Failing for good counts, writes the dead letter and parks: all of it or nothing.
        let lease = cx.claim_only(&run).await?.lease;
        let (error, policy) = ("down".into(), policy(1));
        let fail = || cx.store.mark_failed(&lease, 5, &error, &policy);
        let failed = after_polls(polls, fail()).await.is_some();
        let parked = match fail().await {
            Ok(FailOutcome::Parked { dead_letter_no: 1 }) => !failed,
            Err(OutboxError::Lease(LeaseError::StaleLease {
                delivered_seq: 4, ..
            })) => true,
            _ => false,
        };
        check!(parked, "half a failure was there");
        audit(cx.store.as_ref()).await?;
        if bootstrapped && appended && failed {
            break;
        }
    }
    Ok(())
}
