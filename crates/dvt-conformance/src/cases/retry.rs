//! What a failed delivery costs: back-off, attempts and the last error.

use std::num::NonZeroU32;
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, FailOutcome, Jitter, LeaseError, MAX_TEXT_BYTES, OutboxError,
    OutboxStorageExt, PendingRun, RetryPolicy, RunKey, SafeText, Timestamp,
};

use crate::cx::Cx;
use crate::failure::{Failure, check, check_eq, check_matches};
use crate::fixture::{note, notes, policy, run_of, seqs};

fn until(outcome: FailOutcome) -> Result<Timestamp, Failure> {
    match outcome {
        FailOutcome::BackingOff { until } => Ok(until),
        other => Err(Failure::new(format!(
            "expected a back-off, found {other:?}"
        ))),
    }
}

/// Claims the run alone and fails this event of it. Gives the attempts told with the claim.
async fn fail_next(cx: &Cx, run: &RunKey, seq: u64) -> Result<u32, Failure> {
    let claimed = cx.claim_only(run).await?;
    until(cx.fail(&claimed.lease, seq, 10).await?)?;
    Ok(claimed.attempts)
}

/// hold the run back until the policy's delay has passed, and reply with that moment
///
/// CASES: H 73, I 85.
pub async fn run_waits_until_the_delay_has_passed(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 2).await?;
    let slack = cx.time_precision();

    for (delay, nearly) in [(100, 70), (200, 170), (400, 370)] {
        let lease = cx.claim_only(&run).await?.lease;
        let before = cx.now(&format!("before {delay}")).await?;
        let until = until(cx.fail(&lease, 1, 10).await?)?;
        let after = cx.now(&format!("after {delay}")).await?;

        let delay = Duration::from_secs(delay);
        let earliest = before.saturating_add(delay);
        let latest = after.saturating_add(delay + slack);
        check!(
            earliest <= until.saturating_add(slack) && until <= latest,
            "expected a moment from {earliest} to {latest}, found {until}"
        );
        cx.shift_clock(nearly).await?;
        check_eq!(
            cx.claim().await?,
            [],
            "claim {nearly} s into a back-off of {delay:?}"
        );
        cx.shift_clock(31).await?;
    }
    cx.claim_only(&run).await?;
    Ok(())
}

/// keep the delay of full jitter between zero and its ceiling
///
/// CASES: I 86.
pub async fn full_jitter_stays_below_its_ceiling(cx: &Cx) -> Result<(), Failure> {
    for number in 0..40 {
        cx.run_with(&format!("{number}"), 1).await?;
    }
    let full = policy(5).with_jitter(Jitter::Full);
    let claimed = cx.claim().await?;
    let mut moments = Vec::new();

    let before = cx.now("before").await?;
    for one in &claimed {
        let failed = cx
            .store
            .mark_failed(&one.lease, 1, &"no luck".into(), &full)
            .await?;
        moments.push(until(failed)?);
    }
    let after = cx.now("after").await?;

    let slack = cx.time_precision();
    let latest = after.saturating_add(full.ceiling(1) + slack);
    check_eq!(moments.len(), 40, "back-offs");
    for until in &moments {
        check!(
            before <= until.saturating_add(slack) && *until <= latest,
            "expected a moment from {before} to {latest}, found {until}"
        );
    }
    // That all of 40 even draws miss one of these parts has a chance of one in hundreds of millions.
    let early = before.saturating_add(full.ceiling(1).mul_f64(0.4));
    let late = after.saturating_add(full.ceiling(1).mul_f64(0.6));
    check!(
        moments.iter().any(|until| *until < early),
        "no delay below 40 % of the ceiling"
    );
    check!(
        moments.iter().any(|until| *until > late),
        "no delay above 60 % of the ceiling"
    );
    Ok(())
}

/// count the attempts of one event over all claims, and tell them with each
pub async fn attempts_count_failures_over_all_claims(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 3).await?;

    let mut attempts = vec![fail_next(cx, &run, 2).await?];
    for _ in 0..2 {
        cx.shift_clock(1_000).await?;
        attempts.push(fail_next(cx, &run, 2).await?);
    }
    // Neither a release nor an expired lease is a failure, and neither makes one forgotten.
    cx.shift_clock(1_000).await?;
    let released = cx.claim_only(&run).await?;
    cx.store.release_one(&released.lease).await?;
    let expired = cx.claim_only(&run).await?;
    cx.outlive_leases().await?;
    attempts.extend([
        released.attempts,
        expired.attempts,
        fail_next(cx, &run, 2).await?,
    ]);
    cx.shift_clock(1_000).await?;
    attempts.push(cx.claim_only(&run).await?.attempts);

    check_eq!(
        attempts,
        [0, 1, 2, 3, 3, 3, 4],
        "attempts told with each claim"
    );
    Ok(())
}

/// acknowledge everything before the failed event
pub async fn events_before_the_failed_one_are_delivered(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 4).await?;
    fail_next(cx, &run, 3).await?;

    let cursors: Vec<_> = cx
        .pending()
        .await?
        .iter()
        .map(|one| one.delivered_seq)
        .collect();
    cx.shift_clock(101).await?;
    let again = cx.claim_only(&run).await?;

    check_eq!(cursors, [2], "cursor of the run");
    check_eq!(
        seqs(&again.events),
        [3, 4],
        "events claimed after the back-off"
    );
    Ok(())
}

/// keep the error as the run's last error
///
/// CASES: J 93.
pub async fn last_error_is_kept(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 1).await?;
    let longest = SafeText::new("é\u{fffd}".repeat(MAX_TEXT_BYTES));
    check_eq!(
        longest.as_str().len(),
        MAX_TEXT_BYTES,
        "bytes of the longest text"
    );
    let errors = [
        "refused: 503".into(),
        longest,
        "'; \"\\\t\r\n\u{1}\u{7f}\u{1f600}".into(),
        "".into(),
    ];

    let mut lease = cx.claim_only(&run).await?.lease;
    for error in errors {
        cx.store.mark_failed(&lease, 1, &error, &policy(10)).await?;
        cx.shift_clock(1_000).await?;
        lease = cx.claim_only(&run).await?.lease;

        let found: Vec<_> = cx
            .pending()
            .await?
            .into_iter()
            .map(|one| one.last_error)
            .collect();
        check_eq!(
            found,
            [Some(error)],
            "last error, still told under the next lease"
        );
    }
    Ok(())
}

/// leave all other runs alone
///
/// CASES: H 73.
pub async fn other_runs_never_notice(cx: &Cx) -> Result<(), Failure> {
    let backing_off = cx.run_with("a", 2).await?;
    let parked = cx.run_with("b", 2).await?;
    let neighbour = cx.run_with("c", 2).await?;
    let namesake = run_of("other", "a");
    cx.bootstrap(&namesake, notes(1, 2)).await?;
    let claimed = cx.claim().await?;
    let due = cx.run_with("d", 2).await?;
    let others = async || -> Result<Vec<PendingRun>, Failure> {
        let mut others = cx.pending().await?;
        others.retain(|one| one.run != backing_off && one.run != parked);
        Ok(others)
    };
    let before = others().await?;

    for one in &claimed {
        if one.lease.run == backing_off {
            cx.fail(&one.lease, 2, 5).await?;
        } else if one.lease.run == parked {
            cx.fail(&one.lease, 2, 1).await?;
        }
    }

    check_eq!(before.len(), 3, "other pending runs");
    check_eq!(
        others().await?,
        before,
        "other pending runs after the failures"
    );
    cx.claim_only(&due).await?;
    let kept: Vec<_> = claimed
        .iter()
        .filter(|one| one.lease.run == neighbour || one.lease.run == namesake)
        .map(|one| Acknowledgement {
            lease: one.lease.clone(),
            through: 2,
        })
        .collect();
    let replies = cx.store.mark_delivered(&kept).await?;
    check_eq!(
        replies,
        [Ok(()), Ok(())],
        "acknowledgements of the other runs"
    );
    Ok(())
}

/// refuse to fail an event delivered before or not under the lease with `SeqOutOfRange`, and keep the lease
pub async fn failure_out_of_range_keeps_the_lease(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 4).await?;
    let first = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&first, 1).await?;
    let lease = cx.claim_only(&run).await?.lease;
    cx.append(&run, vec![note("after the claim")]).await?;
    let before = cx.pending().await?;

    for seq in [0, 1, 5, i64::MAX.cast_unsigned() + 1, u64::MAX] {
        let refused = LeaseError::SeqOutOfRange {
            run: run.clone(),
            seq,
            delivered_seq: 1,
            last_seq: 4,
        };
        check_matches!(
            cx.fail(&lease, seq, 1).await,
            Err(OutboxError::Lease(found)) if *found == refused,
            "failure of event {seq}"
        );
    }

    check_eq!(
        cx.pending().await?,
        before,
        "pending runs after the refusals"
    );
    until(cx.fail(&lease, 4, 5).await?)?;
    Ok(())
}

/// set attempts and last error back when the cursor moves
pub async fn moving_the_cursor_forgets_failures(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run_with("a", 4).await?;
    fail_next(cx, &run, 1).await?;
    cx.shift_clock(101).await?;
    fail_next(cx, &run, 1).await?;
    cx.shift_clock(201).await?;

    let lease = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&lease, 1).await?;

    let found: Vec<_> = cx
        .pending()
        .await?
        .into_iter()
        .map(|one| (one.attempts, one.last_error))
        .collect();
    check_eq!(
        found,
        [(0, None)],
        "attempts and last error after the acknowledgement"
    );

    // A failure of the event behind the cursor is the second one, a failure further on is a first one again.
    fail_next(cx, &run, 2).await?;
    cx.shift_clock(101).await?;
    check_eq!(
        fail_next(cx, &run, 3).await?,
        1,
        "attempts of the event after the cursor"
    );
    let found: Vec<_> = cx.pending().await?.iter().map(|one| one.attempts).collect();
    check_eq!(found, [1], "attempts after a failure further on");
    Ok(())
}

/// double the delay with each failure up to the policy's cap, however many there were
///
/// CASES: I 85.
pub async fn delays_double_up_to_the_cap(cx: &Cx) -> Result<(), Failure> {
    const FAILURES: u32 = 70;
    let run = cx.run_with("a", 1).await?;
    let (initial, cap) = (Duration::from_secs(100), Duration::from_secs(1_000));
    let policy = RetryPolicy::new(NonZeroU32::MAX, initial, cap).unwrap_or_default();
    let policy = policy.with_jitter(Jitter::None);
    let expected = [100, 200, 400, 800]
        .into_iter()
        .chain(std::iter::repeat(1_000));

    for (failure, seconds) in (1..=FAILURES).zip(expected) {
        let lease = cx.claim_only(&run).await?.lease;
        let before = cx.now(&format!("before {failure}")).await?;
        let found = cx
            .store
            .mark_failed(&lease, 1, &"down".into(), &policy)
            .await?;
        let after = cx.now(&format!("after {failure}")).await?;
        cx.check_moment(until(found)?, Duration::from_secs(seconds), [before, after])?;
        cx.shift_clock(1_001).await?;
    }
    Ok(())
}
