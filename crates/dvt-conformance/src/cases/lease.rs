//! How long a lease holds, who may still use it, and what each answer to it does.

use std::time::Duration;

use dvt_contracts::{
    ClaimRequest, InvalidCall, Lease, LeaseError, MAX_LEASE, MIN_LEASE, OutboxError,
    OutboxStorageExt,
};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::{LEASE, claim_all, notes, policy, run_of, stale};

/// What each method replies to work under this lease.
pub(super) async fn work(
    cx: &Cx,
    lease: &Lease,
    seq: u64,
) -> Result<[Result<(), LeaseError>; 4], Failure> {
    fn told<T>(reply: Result<T, OutboxError>) -> Result<Result<(), LeaseError>, Failure> {
        match reply {
            Ok(_) => Ok(Ok(())),
            Err(OutboxError::Lease(refused)) => Ok(Err(refused)),
            Err(other) => Err(other.into()),
        }
    }
    Ok([
        told(cx.store.extend_one(lease, LEASE).await)?,
        told(cx.store.acknowledge(lease, seq).await)?,
        told(
            cx.store
                .mark_failed(lease, seq, &"no luck".into(), &policy(5))
                .await,
        )?,
        told(cx.store.release_one(lease).await)?,
    ])
}

/// end a lease the given time after the claim
pub async fn ends_the_given_time_after_the_claim(cx: &Cx) -> Result<(), Failure> {
    for (run_id, lease) in [
        ("a", MIN_LEASE),
        ("b", Duration::from_secs(7)),
        ("c", MAX_LEASE),
    ] {
        let run = cx.run_with(run_id, 1).await?;

        let before = cx.now(&format!("before {run_id}")).await?;
        let mut claimed = cx
            .store
            .claim(&ClaimRequest {
                lease,
                ..claim_all()
            })
            .await?;
        let after = cx.now(&format!("after {run_id}")).await?;

        claimed.retain(|one| one.lease.run == run);
        check_eq!(claimed.len(), 1, "claims of run {run}");
        for one in &claimed {
            cx.check_moment(one.lease.expires_at, lease, [before, after])?;
        }
    }
    Ok(())
}

/// refuse a lease shorter than `MIN_LEASE` or longer than `MAX_LEASE`, here and in `extend`
pub async fn too_short_or_too_long_is_refused(cx: &Cx) -> Result<(), Failure> {
    const NANO: Duration = Duration::from_nanos(1);
    let run = cx.run_with("a", 1).await?;
    let refused = [
        Duration::ZERO,
        MIN_LEASE - NANO,
        MAX_LEASE + NANO,
        Duration::MAX,
    ];

    for lease in refused {
        check_matches!(
            cx.store.claim(&ClaimRequest { lease, ..claim_all() }).await,
            Err(OutboxError::Invalid(InvalidCall::LeaseOutOfRange { found })) if *found == lease,
            "claim for {lease:?}"
        );
    }
    let held = cx.claim_only(&run).await?.lease;
    for by in refused {
        check_matches!(
            cx.store.extend_one(&held, by).await,
            Err(OutboxError::Invalid(InvalidCall::LeaseOutOfRange { found })) if *found == by,
            "extension by {by:?}"
        );
    }

    check_eq!(held.claim_no, 1, "claim_no after the refused claims");
    cx.store.extend_one(&held, MAX_LEASE).await?;
    cx.store.extend_one(&held, MIN_LEASE).await?;
    Ok(())
}

/// leave a run under an unexpired lease alone
pub async fn unexpired_lease_is_left_alone(cx: &Cx) -> Result<(), Failure> {
    let leased = cx.run_with("a", 2).await?;
    cx.claim_only(&leased).await?;

    cx.shift_clock(30).await?;
    check_eq!(cx.claim().await?, [], "claim in the middle of the lease");
    let due = cx.run_with("b", 1).await?;
    cx.claim_only(&due).await?;
    Ok(())
}

/// give the same events again once their lease has expired
///
/// CASES: G 68.
pub async fn expired_lease_gives_the_same_events_again(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let first = cx.claim_only(&run).await?;

    cx.shift_clock(30).await?;
    check_eq!(cx.claim().await?, [], "claim in the middle of the lease");
    cx.shift_clock(31).await?;

    let again = cx.claim_only(&run).await?;
    check_eq!(again.events, first.events, "events claimed again");
    check_eq!(again.attempts, 0, "attempts after a lease that expired");
    Ok(())
}

/// refuse a lease that was used, released or stolen with `StaleLease` telling the cursor, in every method, and change nothing
///
/// CASES: G 61, G 62.
pub async fn lost_lease_is_refused_by_every_method(cx: &Cx) -> Result<(), Failure> {
    let stolen = cx.run_with("stolen", 4).await?;
    let overtaken = cx.run_with("overtaken", 4).await?;
    let [of_stolen, of_overtaken] = cx.leases([&stolen, &overtaken]).await?;
    cx.outlive_leases().await?;
    let used = cx.run_with("used", 4).await?;
    let finished = cx.run_with("finished", 4).await?;
    let failed = cx.run_with("failed", 4).await?;
    let released = cx.run_with("released", 4).await?;
    let [_, thief, of_used, of_finished, of_failed, of_released] = cx
        .leases([&stolen, &overtaken, &used, &finished, &failed, &released])
        .await?;
    cx.store.acknowledge(&thief, 3).await?;
    cx.store.acknowledge(&of_used, 2).await?;
    cx.store.acknowledge(&of_finished, 4).await?;
    cx.fail(&of_failed, 2, 5).await?;
    cx.store.release_one(&of_released).await?;
    let lost = [
        (of_stolen, 0),
        (of_overtaken, 3),
        (of_used, 2),
        (of_finished, 4),
        (of_failed, 1),
        (of_released, 0),
    ];

    // Once as they are, and once with those that are due under the lease of somebody else.
    for _ in 0..2 {
        let before = cx.pending().await?;
        for (lease, delivered_seq) in &lost {
            let refused = [(); 4].map(|()| Err(stale(lease, *delivered_seq)));
            check_eq!(
                work(cx, lease, 4).await?,
                refused,
                "extend, acknowledge, fail, release"
            );
        }
        check_eq!(
            cx.pending().await?,
            before,
            "pending runs after the refusals"
        );
        cx.claim().await?;
    }
    Ok(())
}

/// accept acknowledge, fail and release under an expired lease that nobody has stolen
///
/// CASES: G 67.
pub async fn expired_lease_still_counts_unless_stolen(cx: &Cx) -> Result<(), Failure> {
    let runs = [
        cx.run_with("a", 2).await?,
        cx.run_with("b", 2).await?,
        cx.run_with("c", 2).await?,
    ];
    let [acknowledged, failed, released] = cx.leases(runs.each_ref()).await?;
    cx.outlive_leases().await?;

    cx.store.acknowledge(&acknowledged, 1).await?;
    cx.fail(&failed, 2, 5).await?;
    cx.store.release_one(&released).await?;

    let found: Vec<_> = cx
        .pending()
        .await?
        .into_iter()
        .map(|one| {
            (
                one.run,
                one.delivered_seq,
                one.attempts,
                one.unfinished_claims,
            )
        })
        .collect();
    let [a, b, c] = runs;
    let expected = [(a, 1, 0, 0), (b, 1, 1, 0), (c, 0, 0, 0)];
    check_eq!(
        found,
        expected,
        "run, cursor, attempts and unfinished claims"
    );
    Ok(())
}

/// answer lease work on a run that is not there with `RunNotFound`
pub async fn missing_run_is_not_found(cx: &Cx) -> Result<(), Failure> {
    let elsewhere = cx.another().await?;
    let missing = elsewhere.run_with("a", 1).await?;
    let lease = elsewhere.claim_only(&missing).await?.lease;
    // A run of the same name, of another tenant.
    cx.bootstrap(&run_of("other", "a"), notes(1, 1)).await?;

    let replies = work(cx, &lease, 1).await?;

    let not_found = [(); 4].map(|()| {
        Err(LeaseError::RunNotFound {
            run: missing.clone(),
        })
    });
    check_eq!(replies, not_found, "extend, acknowledge, fail, release");
    Ok(())
}

/// reset a run's unfinished claims at any acknowledge, fail or release
pub async fn every_answer_resets_unfinished_claims(cx: &Cx) -> Result<(), Failure> {
    let runs = [
        cx.run_with("a", 2).await?,
        cx.run_with("b", 2).await?,
        cx.run_with("c", 2).await?,
    ];
    cx.leases(runs.each_ref()).await?;
    cx.outlive_leases().await?;
    let [acknowledged, failed, released] = cx.leases(runs.each_ref()).await?;

    cx.store.acknowledge(&acknowledged, 1).await?;
    cx.fail(&failed, 1, 5).await?;
    cx.store.release_one(&released).await?;

    let unfinished: Vec<_> = cx
        .pending()
        .await?
        .iter()
        .map(|one| one.unfinished_claims)
        .collect();
    check_eq!(
        unfinished,
        [0, 0, 0],
        "unfinished claims after acknowledge, fail and release"
    );
    Ok(())
}

/// move the end of a lease to the given time from now, and reply with it
///
/// CASES: G 67.
pub async fn extension_counts_from_now(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;
    let lease = cx.claim_only(&run).await?.lease;
    cx.shift_clock(30).await?;

    let before = cx.now("before").await?;
    let extended = cx.store.extend_one(&lease, LEASE).await?;
    let after = cx.now("after").await?;

    cx.check_moment(extended.expires_at, LEASE, [before, after])?;
    check_eq!(
        Lease {
            expires_at: lease.expires_at,
            ..extended
        },
        lease,
        "the rest of the lease"
    );
    cx.shift_clock(39).await?;
    check_eq!(
        cx.claim().await?,
        [],
        "claim between the first end of the lease and the second"
    );

    // What counts is the end that the store keeps, not the one that the caller holds. It can be moved back, too.
    cx.store.extend_one(&lease, Duration::from_secs(1)).await?;
    cx.shift_clock(2).await?;
    cx.claim_only(&run).await?;
    Ok(())
}

/// refuse to extend an expired lease with `StaleLease`, even if nobody has stolen it
///
/// CASES: G 67.
pub async fn expired_lease_is_not_extended(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    let first = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&first, 1).await?;
    let expired = cx.claim_only(&run).await?.lease;
    cx.outlive_leases().await?;

    let replies = cx
        .store
        .extend(std::slice::from_ref(&expired), LEASE)
        .await?;

    check_eq!(
        replies,
        [Err(stale(&expired, 1))],
        "extension of an expired lease"
    );
    cx.claim_only(&run).await?;
    Ok(())
}
