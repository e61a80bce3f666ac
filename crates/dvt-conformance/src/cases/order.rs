//! In which order runs and events go out.

use std::collections::HashMap;

use dvt_contracts::{ClaimRequest, Lease, OutboxStorageExt, RunKey};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq};
use crate::fixture::{claim_all, notes, seqs};

/// Claims one run after the other until nothing is due.
async fn one_by_one(cx: &Cx) -> Result<Vec<RunKey>, Failure> {
    let mut runs = Vec::new();
    for _ in 0..10 {
        let claimed = cx.claim_runs(1).await?;
        if claimed.is_empty() {
            break;
        }
        runs.extend(claimed.into_iter().map(|one| one.lease.run));
    }
    Ok(runs)
}

async fn fail(cx: &Cx, lease: &Lease, seq: u64) -> Result<(), Failure> {
    cx.fail(lease, seq, 9).await?;
    Ok(())
}

/// hand out each run's events as 1, 2, 3 … without a gap over any mix of claims and answers
///
/// CASES: H 71, H 72.
pub async fn first_deliveries_have_no_gap(cx: &Cx) -> Result<(), Failure> {
    let runs = [
        cx.run_with("a", 5).await?,
        cx.run_with("b", 7).await?,
        cx.run_with("c", 3).await?,
    ];
    let two_of_two = ClaimRequest {
        max_runs: 2,
        max_events_per_run: 2,
        ..claim_all()
    };
    let mut claims: HashMap<RunKey, u32> = HashMap::new();
    let mut seen: HashMap<RunKey, Vec<u64>> = HashMap::new();

    for turn in 0..60 {
        if turn == 3 {
            cx.append(&runs[0], notes(6, 8)).await?;
        }
        let claimed = cx.store.claim(&two_of_two).await?;
        if claimed.is_empty() {
            break;
        }
        for one in claimed {
            let given = seqs(&one.events);
            let seen = seen.entry(one.lease.run.clone()).or_default();
            for seq in &given {
                if Some(seq) > seen.iter().max() {
                    seen.push(*seq);
                }
            }
            let (first, last) = (given.first().copied(), given.last().copied());
            let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
            let claims = claims.entry(one.lease.run.clone()).or_default();
            *claims += 1;
            match *claims % 6 {
                1 => cx.store.acknowledge(&one.lease, first).await?,
                2 => fail(cx, &one.lease, last).await?,
                3 => cx.store.release_one(&one.lease).await?,
                4 => fail(cx, &one.lease, first).await?,
                5 => cx.store.acknowledge(&one.lease, last).await?,
                _ => {} // the lease expires
            }
        }
        cx.shift_clock(500).await?;
    }

    for (run, head) in runs.into_iter().zip([8, 7, 3]) {
        let expected: Vec<u64> = (1..=head).collect();
        check_eq!(
            seen.get(&run),
            Some(&expected),
            "first deliveries of run {run}"
        );
    }
    Ok(())
}

/// take the runs that have been due longest first
pub async fn longest_due_run_comes_first(cx: &Cx) -> Result<(), Failure> {
    let failed = cx.run_with("a", 1).await?;
    let lease = cx.claim_only(&failed).await?.lease;
    cx.fail(&lease, 1, 5).await?; // due again after 100 s
    let mut expected = Vec::new();
    for run_id in ["d", "b", "e", "c"] {
        expected.push(cx.run_with(run_id, 1).await?);
        cx.shift_clock(25).await?;
    }
    expected.push(failed);
    cx.shift_clock(30).await?;

    // More events do not make a run wait anew.
    for run in &expected {
        cx.append(run, notes(2, 2)).await?;
    }

    check_eq!(one_by_one(cx).await?, expected, "claims of one run each");
    Ok(())
}

/// leave events that are appended under a lease to the next claim
pub async fn events_appended_under_a_lease_wait(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    let first = cx.claim_only(&run).await?;

    cx.append(&run, notes(3, 4)).await?;
    let meanwhile = cx.claim().await?;
    cx.store.acknowledge(&first.lease, 2).await?;
    let next = cx.claim_only(&run).await?;

    check_eq!(seqs(&first.events), [1, 2], "events of the first claim");
    check_eq!(meanwhile, [], "claim under the lease");
    check_eq!(seqs(&next.events), [3, 4], "events of the next claim");
    Ok(())
}

/// make a released run due at once, behind those already due, and count no attempt
pub async fn released_run_goes_behind_those_due(cx: &Cx) -> Result<(), Failure> {
    let released = cx.run_with("a", 1).await?;
    let lease = cx.claim_only(&released).await?.lease;
    cx.shift_clock(1).await?;
    let waiting = cx.run_with("b", 1).await?;
    cx.shift_clock(1).await?;

    cx.store.release_one(&lease).await?;

    let claimed = [cx.claim_runs(1).await?, cx.claim_runs(1).await?].concat();
    let found: Vec<_> = claimed
        .into_iter()
        .map(|one| (one.lease.run, one.attempts))
        .collect();
    check_eq!(
        found,
        [(waiting, 0), (released, 0)],
        "runs and attempts, one claim after the other"
    );
    Ok(())
}
