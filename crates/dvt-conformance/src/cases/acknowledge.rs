//! What an acknowledgement does.

use dvt_contracts::{
    Acknowledgement, InvalidCall, Lease, LeaseError, MAX_CALL_LEASES, OutboxError,
    OutboxStorageExt, PendingQuery, PendingState,
};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::{LEASE, note, notes, out_of_range, run, seqs, stale};

/// move the cursor to `through` and end the lease
pub async fn acknowledge_moves_the_cursor(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let lease = cx.claim_only(&run).await?.lease;

    cx.store.acknowledge(&lease, 2).await?;

    let pending = cx.store.list_pending(&PendingQuery::default()).await?;
    let found: Vec<_> = pending
        .iter()
        .map(|one| (one.delivered_seq, one.state))
        .collect();
    check_eq!(
        found,
        [(2, PendingState::Due)],
        "cursor and state of the run"
    );

    let lease = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&lease, 3).await?;
    cx.outlive_leases().await?;
    check_eq!(cx.claim().await?, [], "claim after everything is delivered");
    cx.append(&run, notes(4, 4)).await?;
    let next = cx.claim_only(&run).await?;
    check_eq!(seqs(&next.events), [4], "events appended afterwards");
    Ok(())
}

/// make the rest of the run due at once
pub async fn rest_of_the_run_is_due_at_once(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;
    let lease = cx.claim_only(&run).await?.lease;

    cx.store.acknowledge(&lease, 1).await?;

    check_eq!(
        seqs(&cx.claim_only(&run).await?.events),
        [2, 3],
        "events claimed next"
    );
    Ok(())
}

/// refuse to acknowledge an event delivered before or not under the lease with `SeqOutOfRange`, and keep the lease
pub async fn acknowledgement_out_of_range_keeps_the_lease(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 4).await?;
    let first = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&first, 1).await?;
    let lease = cx.claim_only(&run).await?.lease;
    cx.append(&run, vec![note("after the claim")]).await?;
    let before = cx.pending().await?;

    for through in [0, 1, 5, i64::MAX.cast_unsigned() + 1, u64::MAX] {
        let acknowledgement = Acknowledgement {
            lease: lease.clone(),
            through,
        };
        let replies = cx.store.mark_delivered(&[acknowledgement]).await?;
        let refused = Err(out_of_range(&run, through, 1, 4));
        check_eq!(replies, [refused], "acknowledgement through {through}");
    }

    check_eq!(
        cx.pending().await?,
        before,
        "pending runs after the refusals"
    );
    cx.store.acknowledge(&lease, 4).await?;
    Ok(())
}

/// answer each acknowledgement of a call on its own, as if one after another
pub async fn each_acknowledgement_is_answered_on_its_own(cx: &Cx) -> Result<(), Failure> {
    let runs = [
        cx.run_with("a", 2).await?,
        cx.run_with("b", 2).await?,
        cx.run_with("c", 2).await?,
        cx.run_with("d", 2).await?,
    ];
    let [a, b, c, d] = cx.leases(runs.each_ref()).await?;
    cx.store.release_one(&b).await?;
    let missing = Lease {
        run: run("missing"),
        ..a.clone()
    };

    let acknowledgements =
        [(&d, 1), (&missing, 1), (&b, 1), (&a, 3), (&c, 2), (&d, 2)].map(|(lease, through)| {
            Acknowledgement {
                lease: lease.clone(),
                through,
            }
        });
    let replies = cx.store.mark_delivered(&acknowledgements).await?;

    let expected = [
        Ok(()),
        Err(LeaseError::RunNotFound {
            run: missing.run.clone(),
        }),
        Err(stale(&b, 0)),
        Err(out_of_range(&a.run, 3, 0, 2)),
        Ok(()),
        Err(stale(&d, 1)),
    ];
    let cursors: Vec<_> = cx
        .pending()
        .await?
        .into_iter()
        .map(|one| (one.run, one.delivered_seq))
        .collect();
    check_eq!(replies, expected, "replies in the order of the call");
    check_eq!(
        cursors,
        [(a.run, 0), (b.run, 0), (d.run, 1)],
        "cursors of the pending runs"
    );
    Ok(())
}

/// refuse a call with more than `MAX_CALL_LEASES` leases
pub async fn too_many_leases_are_refused(cx: &Cx) -> Result<(), Failure> {
    let claimed = cx.run_with("a", 1).await?;
    let lease = cx.claim_only(&claimed).await?.lease;
    let missing = |number| Lease {
        run: run(&format!("missing {number}")),
        ..lease.clone()
    };
    let leases: Vec<_> = std::iter::once(lease.clone())
        .chain((0..MAX_CALL_LEASES).map(missing))
        .collect();
    let all: Vec<_> = leases
        .iter()
        .map(|lease| Acknowledgement {
            lease: lease.clone(),
            through: 1,
        })
        .collect();
    let refused = |reply: Option<OutboxError>| -> Result<(), Failure> {
        check_matches!(
            reply,
            Some(OutboxError::Invalid(InvalidCall::TooManyLeases { found })) if *found == all.len(),
            "call with {} leases",
            all.len()
        );
        Ok(())
    };

    refused(cx.store.extend(&leases, LEASE).await.err())?;
    refused(cx.store.release(&leases).await.err())?;
    refused(cx.store.mark_delivered(&all).await.err())?;

    let most = all.get(..MAX_CALL_LEASES).unwrap_or_default();
    let replies = cx.store.mark_delivered(most).await?;
    let accepted = replies.iter().filter(|reply| reply.is_ok()).count();
    check_eq!(
        replies.len(),
        MAX_CALL_LEASES,
        "replies to the greatest call"
    );
    check_eq!(
        replies.first(),
        Some(&Ok(())),
        "reply for the lease, which was kept"
    );
    check_eq!(accepted, 1, "acknowledgements accepted");
    Ok(())
}
