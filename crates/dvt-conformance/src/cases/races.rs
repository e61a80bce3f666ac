//! Many callers at once: barriers and arithmetic, no sleeping.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use dvt_contracts::{
    AppendError, AppendOutcome, AppendRequest, Destination, Disposition, EventPage, EventType,
    Expected, FailOutcome, LeaseError, OperatorNote, OutboxError, OutboxStorageExt, RunEvent,
    RunKey, RunStateStoreExt, Store,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::audit::audit;
use crate::cx::{Cx, request};
use crate::failure::{Failure, check, check_eq};
use crate::fixture::{claim_all, event, note, notes, policy, run, seqs};

const CALLERS: usize = 8;

/// Runs one future for each caller, each on its own handle, all starting together.
async fn race<T, F>(
    cx: &Cx,
    callers: usize,
    work: impl Fn(Arc<dyn Store>, usize) -> F + Send + Sync,
) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(callers));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let work = work(cx.reopen().await?, caller);
        let barrier = Arc::clone(&barrier);
        tasks.spawn(async move {
            barrier.wait().await;
            (caller, work.await)
        });
    }
    let mut results = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        let (caller, result) = joined?;
        results.push((caller, result?));
    }
    results.sort_by_key(|(caller, _)| *caller);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

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

/// give each due run to exactly one of several concurrent claims
///
/// CASES: F 54.
pub async fn concurrent_claims_share_the_runs(cx: &Cx) -> Result<(), Failure> {
    const RUNS: usize = 24;
    for number in 0..RUNS {
        cx.run_with(&format!("{number:02}"), 1).await?;
    }

    let claims = race(cx, CALLERS, |store, _| async move {
        let mut claimed = Vec::new();
        let request = dvt_contracts::ClaimRequest {
            max_runs: 2,
            ..claim_all()
        };
        for _ in 0..RUNS {
            claimed.extend(store.claim(&request).await?);
        }
        Ok(claimed)
    })
    .await?;

    let leases: Vec<_> = claims
        .into_iter()
        .flatten()
        .map(|claimed| claimed.lease)
        .collect();
    let runs: BTreeSet<RunKey> = leases.iter().map(|lease| lease.run.clone()).collect();
    check_eq!(leases.len(), RUNS, "claims");
    check_eq!(runs.len(), RUNS, "runs claimed");
    check!(
        leases.iter().all(|lease| lease.claim_no == 1),
        "a run was claimed twice: {leases:?}"
    );
    Ok(())
}

/// let concurrent retries of one dead letter resolve it once
///
/// CASES: J 91.
pub async fn concurrent_retries_resolve_once(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;
    let number = cx.kill(&run).await?;

    let letters = race(cx, CALLERS, |store, caller| {
        let run = run.clone();
        let note = OperatorNote::new(format!("caller {caller}"), "fixed");
        async move { Ok(store.retry_dead_letter(&run, number, &note).await?) }
    })
    .await?;

    let resolutions: BTreeSet<_> = letters
        .iter()
        .map(|letter| format!("{:?}", letter.resolution))
        .collect();
    let claimed = cx.claim_only(&run).await?;
    check_eq!(
        resolutions.len(),
        1,
        "resolutions in the replies: {resolutions:?}"
    );
    check_eq!(seqs(&claimed.events), [1], "events of the next claim");
    check_eq!(cx.claim().await?, [], "claims after that");
    Ok(())
}

/// make a run due that an event is appended to while its last one is acknowledged
///
/// CASES: C 31, F 55.
pub async fn append_beside_the_last_acknowledgement_is_due(cx: &Cx) -> Result<(), Failure> {
    const ROUNDS: u64 = 9;
    let run = cx.run_with("a", 1).await?;

    for round in 1..=ROUNDS {
        let lease = cx.claim_only(&run).await?.lease;
        race(cx, 2, |store, caller| {
            let (run, lease) = (run.clone(), lease.clone());
            async move {
                // The roles change, so that either may come first.
                if (caller as u64 + round).is_multiple_of(2) {
                    store.acknowledge(&lease, round).await?;
                } else {
                    let request = AppendRequest::new(run, vec![note(&format!("round {round}"))]);
                    store.append_and_enqueue(request).await?;
                }
                Ok(())
            }
        })
        .await?;
    }

    check_eq!(
        seqs(&cx.claim_only(&run).await?.events),
        [ROUNDS + 1],
        "events claimed at last"
    );
    Ok(())
}

/// let a prune and a concurrent append agree: no acknowledged event is removed undelivered
///
/// CASES: F 55, G 69.
pub async fn prune_and_append_agree(cx: &Cx) -> Result<(), Failure> {
    for round in 0..10_usize {
        let run = run(&format!("round {round}"));
        cx.bootstrap(&run, vec![event(EventType::RunFailed, "k1")])
            .await?;
        let lease = cx.claim_only(&run).await?.lease;
        cx.store.acknowledge(&lease, 1).await?;

        let done = race(cx, 2, |store, caller| {
            let run = run.clone();
            async move {
                Ok(if (caller + round).is_multiple_of(2) {
                    store.prune_run(&run).await.is_ok()
                } else {
                    let request = AppendRequest::new(run, vec![note("late")]);
                    store.append_and_enqueue(request).await.is_ok()
                })
            }
        })
        .await?;

        let [pruned, appended] = if round.is_multiple_of(2) {
            [0, 1]
        } else {
            [1, 0]
        }
        .map(|caller: usize| done.get(caller) == Some(&true));
        let claims = cx.claim().await?.len();
        check!(pruned != appended, "pruned: {pruned}, appended: {appended}");
        check_eq!(claims, usize::from(appended), "claims of the late event");
    }
    Ok(())
}

/// let exactly one of several concurrent bindings to different destinations win
pub async fn one_destination_wins(cx: &Cx) -> Result<(), Failure> {
    let outcomes = race(cx, CALLERS, |store, caller| async move {
        let own = Destination::new(format!("bus {caller}"));
        let own = own.map_err(|error| Failure::new(error.to_string()))?;
        Ok(match store.bind_destination(&own).await {
            Ok(()) => (true, own),
            Err(OutboxError::DestinationMismatch { bound, .. }) => (false, bound),
            Err(error) => return Err(error.into()),
        })
    })
    .await?;

    let won = outcomes.iter().filter(|(won, _)| *won).count();
    let named: BTreeSet<_> = outcomes
        .into_iter()
        .map(|(_, destination)| destination)
        .collect();
    let bound = cx.store.stats().await?.destination;
    check_eq!(won, 1, "bindings that won");
    check_eq!(named, bound.into_iter().collect(), "destinations told");
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

/// Polls a future at most so many times, then drops it where it stands.
async fn after_polls<F: Future + Send>(polls: usize, future: F) -> Option<F::Output> {
    struct Limited<F> {
        future: Pin<Box<F>>,
        polls: usize,
    }
    impl<F: Future> Future for Limited<F> {
        type Output = Option<F::Output>;
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            self.polls -= 1;
            match self.future.as_mut().poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if self.polls == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        }
    }
    pin!(Limited {
        future: Box::pin(future),
        polls
    })
    .await
}
