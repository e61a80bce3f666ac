//! Many callers at once on the outbox: barriers and arithmetic, no sleeping.

use std::collections::BTreeSet;

use dvt_contracts::{
    AppendRequest, Destination, EventType, OperatorNote, OutboxError, OutboxStorageExt, RunKey,
    RunStateStoreExt,
};

use crate::cx::Cx;
use crate::failure::{Failure, check, check_eq};
use crate::fixture::{claim_all, event, note, run, seqs};
use crate::race::{CALLERS, race};

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
