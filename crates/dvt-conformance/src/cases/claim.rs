//! What a claim takes and gives.

use std::collections::HashSet;

use dvt_contracts::{
    ClaimRequest, ClaimedRun, EventType, FailOutcome, MAX_CLAIM, OutboxStorageExt, PendingQuery,
    RunKey, UNFINISHED_CLAIMS_ALONE,
};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq, check_matches};
use crate::fixture::{LEASE, attempt, claim_all, event, note, notes, payload, seqs, step};

/// The runs of a claim, in the order of the reply.
fn runs(claimed: &[ClaimedRun]) -> Vec<RunKey> {
    claimed
        .iter()
        .map(|claimed| claimed.lease.run.clone())
        .collect()
}

/// Claims until nothing is due. Gives the runs of each claim, in the order of their keys.
async fn drain(cx: &Cx) -> Result<Vec<Vec<RunKey>>, Failure> {
    let mut claims = Vec::new();
    for _ in 0..10 {
        let mut claimed = runs(&cx.claim().await?);
        if claimed.is_empty() {
            return Ok(claims);
        }
        claimed.sort();
        claims.push(claimed);
    }
    Err(Failure::new(format!(
        "claims do not come to an end: {claims:?}"
    )))
}

/// give the events after the cursor, in log order and as the log holds them
pub async fn events_are_those_of_the_log(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    let rich = step(EventType::StepFailed, "load é", "rich")
        .with_engine_attempt(attempt(7))
        .with_logical_attempt(attempt(3))
        .with_payload(payload(r#"{ "n": 1e2, "b": 1, "a": -0, "n": "é" }"#));
    cx.append(&run, vec![event(EventType::RunStarted, "start"), rich])
        .await?;
    let log = cx.log(&run).await?;

    let whole = cx.claim_only(&run).await?;
    cx.store.acknowledge(&whole.lease, 2).await?;
    let rest = cx.claim_only(&run).await?;

    check_eq!(seqs(&log), [1, 2, 3, 4], "sequence in the log");
    check_eq!(whole.events, log, "events of the first claim");
    check_eq!(
        Some(rest.events.as_slice()),
        log.get(2..),
        "events after the cursor"
    );
    Ok(())
}

/// take at most `max_runs` runs, and none for 0
///
/// CASES: G 66.
pub async fn no_more_runs_than_asked_for(cx: &Cx) -> Result<(), Failure> {
    for run_id in ["a", "b", "c"] {
        cx.run_with(run_id, 1).await?;
    }

    let none = cx.claim_runs(0).await?;
    let two = cx.claim_runs(2).await?;
    let rest = cx.claim_runs(u32::MAX).await?;

    check_eq!(none, [], "claim of 0 runs");
    check_eq!(two.len(), 2, "runs in a claim of 2");
    check_eq!(rest.len(), 1, "runs in a claim of all others");
    let numbers: Vec<_> = two
        .iter()
        .chain(&rest)
        .map(|claimed| claimed.lease.claim_no)
        .collect();
    let distinct: HashSet<_> = runs(&two).into_iter().chain(runs(&rest)).collect();
    check_eq!(distinct.len(), 3, "runs claimed");
    check_eq!(
        numbers,
        [1, 1, 1],
        "claim_no, since a claim of 0 runs takes none"
    );
    Ok(())
}

/// take at most `max_events_per_run` events of a run, and none for 0
///
/// CASES: G 66.
pub async fn no_more_events_than_asked_for(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1_000).await?;
    cx.append(&run, notes(1_001, 1_002)).await?;
    let claim = async |max_events_per_run| {
        cx.store
            .claim(&ClaimRequest {
                max_events_per_run,
                ..claim_all()
            })
            .await
    };

    let none = claim(0).await?;
    let two = claim(2).await?;
    cx.outlive_leases().await?;
    let all = claim(u32::MAX).await?;

    let two: Vec<_> = two
        .iter()
        .map(|one| (one.lease.claim_no, seqs(&one.events)))
        .collect();
    let all: Vec<_> = all.iter().map(|one| one.events.len()).collect();
    check_eq!(none, [], "claim of 0 events");
    check_eq!(
        two,
        [(1, vec![1, 2])],
        "claim_no and events of a claim of 2 events"
    );
    check_eq!(
        all,
        [MAX_CLAIM as usize],
        "number of events, which is bounded by MAX_CLAIM"
    );
    Ok(())
}

/// end the claim before the event that would exceed `max_bytes` of payload, but give at least one event
pub async fn bytes_are_bounded(cx: &Cx) -> Result<(), Failure> {
    let sized = |sizes: &[usize]| -> Vec<_> {
        let text = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
        let keyed = sizes.iter().enumerate();
        keyed
            .map(|(key, size)| note(&format!("k{key}")).with_payload(payload(&text(*size))))
            .collect()
    };
    let counts = async |max_bytes| -> Result<Vec<usize>, Failure> {
        let claimed = cx
            .store
            .claim(&ClaimRequest {
                max_bytes,
                ..claim_all()
            })
            .await?;
        let leases: Vec<_> = claimed.iter().map(|one| one.lease.clone()).collect();
        for released in cx.store.release(&leases).await? {
            released?;
        }
        let mut counts: Vec<_> = claimed.iter().map(|one| one.events.len()).collect();
        counts.sort_unstable();
        Ok(counts)
    };

    let run = cx.run("a").await?;
    cx.append(&run, sized(&[10, 10, 10, 50, 10])).await?;
    // Within 40 to 79 bytes, the fifth event would fit and must not overtake the fourth.
    for (max_bytes, count) in [(0, 1), (19, 1), (20, 2), (40, 3), (79, 3), (80, 4), (90, 5)] {
        check_eq!(
            counts(max_bytes).await?,
            [count],
            "events within {max_bytes} bytes"
        );
    }

    // Two runs, due alternately, since each claim is given back.
    cx.shift_clock(1).await?;
    let run = cx.run("b").await?;
    cx.append(&run, sized(&[10, 10, 10])).await?;
    for (max_bytes, expected) in [(0, vec![1]), (39, vec![3]), (30, vec![3]), (50, vec![2, 3])] {
        cx.shift_clock(1).await?;
        check_eq!(
            counts(max_bytes).await?,
            expected,
            "events of two runs within {max_bytes} bytes"
        );
    }
    Ok(())
}

/// raise `claim_no` by exactly one with each claim of a run
pub async fn claim_no_rises_by_one(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;

    let acknowledged = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&acknowledged, 1).await?;
    let released = cx.claim_only(&run).await?.lease;
    cx.store.release_one(&released).await?;
    let expired = cx.claim_only(&run).await?.lease;
    let extended = cx.store.extend_one(&expired, LEASE).await?;
    cx.outlive_leases().await?;
    let failed = cx.claim_only(&run).await?.lease;
    cx.fail(&failed, 2, 5).await?;
    cx.shift_clock(121).await?;
    let last = cx.claim_only(&run).await?.lease;
    let other = cx.run_with("b", 1).await?;
    let other = cx.claim_only(&other).await?.lease;

    let numbers =
        [acknowledged, released, expired, extended, failed, last].map(|lease| lease.claim_no);
    check_eq!(numbers, [1, 2, 3, 3, 4, 5], "claim_no of one run");
    check_eq!(
        other.claim_no,
        1,
        "claim_no of the first claim of another run"
    );
    Ok(())
}

/// make a new token for each claim
///
/// CASES: G 62.
pub async fn tokens_are_new(cx: &Cx) -> Result<(), Failure> {
    cx.run_with("a", 1).await?;
    cx.run_with("b", 1).await?;
    let mut tokens = HashSet::new();

    for round in 1..=4 {
        let leases: Vec<_> = cx.claim().await?.into_iter().map(|one| one.lease).collect();
        tokens.extend(leases.iter().map(|lease| lease.token));
        check_eq!(
            tokens.len(),
            2 * round,
            "different tokens after {round} claims of two runs"
        );
        match round % 2 {
            1 => cx.outlive_leases().await?,
            _ => cx
                .store
                .release(&leases)
                .await?
                .into_iter()
                .collect::<Result<_, _>>()?,
        }
    }
    Ok(())
}

/// answer with nothing, and change nothing, when nothing is due
///
/// CASES: G 66, G 70.
pub async fn nothing_due_is_no_claim(cx: &Cx) -> Result<(), Failure> {
    check_eq!(cx.claim().await?, [], "claim in an empty store");
    cx.run("empty").await?;
    let parked = cx.run_with("parked", 1).await?;
    cx.kill(&parked).await?;
    let backing_off = cx.run_with("backing off", 1).await?;
    let failed = cx.claim_only(&backing_off).await?.lease;
    check_matches!(
        cx.fail(&failed, 1, 5).await,
        Ok(FailOutcome::BackingOff { .. }),
        "first failure of five"
    );
    let leased = cx.run_with("leased", 1).await?;
    cx.claim_only(&leased).await?;

    let before = cx.store.list_pending(&PendingQuery::default()).await?;
    for _ in 0..3 {
        check_eq!(cx.claim().await?, [], "claim when nothing is due");
    }

    let after = cx.store.list_pending(&PendingQuery::default()).await?;
    check_eq!(before.len(), 3, "runs with undelivered events");
    check_eq!(after, before, "pending runs after the empty claims");
    Ok(())
}

/// claim a run with `UNFINISHED_CLAIMS_ALONE` unfinished claims alone when it is due longest, and pass over it until then
pub async fn often_unfinished_run_is_claimed_alone(cx: &Cx) -> Result<(), Failure> {
    let suspect = cx.run_with("suspect", 1).await?;
    for _ in 1..UNFINISHED_CLAIMS_ALONE {
        cx.claim_only(&suspect).await?;
        cx.outlive_leases().await?;
    }

    let other = cx.run_with("other", 1).await?;
    let company = cx.claim().await?;
    let mut claimed = runs(&company);
    claimed.sort();
    check_eq!(
        claimed,
        [other.clone(), suspect.clone()],
        "claim of a run below the bound"
    );
    for one in company.iter().filter(|one| one.lease.run == other) {
        cx.store.acknowledge(&one.lease, 1).await?;
    }

    cx.outlive_leases().await?;
    let younger = cx.run_with("younger", 1).await?;
    let expected = [vec![suspect.clone()], vec![younger.clone()]];
    check_eq!(
        drain(cx).await?,
        expected,
        "claims of a run at the bound, due longest"
    );

    let older = cx.run_with("older", 1).await?;
    cx.outlive_leases().await?;
    let mut claims = drain(cx).await?;
    claims.iter_mut().for_each(|claim| claim.sort());
    check_eq!(
        claims,
        [vec![older, younger], vec![suspect]],
        "claims of a run at the bound, due behind another"
    );
    Ok(())
}

/// tell how often a run was claimed since its last answer
pub async fn unfinished_claims_are_told(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    let mut told = Vec::new();

    for _ in 0..3 {
        told.push(cx.claim_only(&run).await?.unfinished_claims);
        cx.outlive_leases().await?;
    }
    let last = cx.claim_only(&run).await?;
    told.push(last.unfinished_claims);
    cx.store.acknowledge(&last.lease, 1).await?;
    told.push(cx.claim_only(&run).await?.unfinished_claims);

    check_eq!(told, [1, 2, 3, 4, 1], "unfinished claims");
    Ok(())
}
