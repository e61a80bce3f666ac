//! What the outbox says about the work that it holds.

use std::time::Duration;

use dvt_contracts::{
    FailOutcome, OperatorNote, OutboxStats, OutboxStorageExt, PendingQuery, PendingRun,
    PendingState, RunEvent, RunKey, Timestamp,
};

use crate::cx::Cx;
use crate::failure::{Failure, check, check_eq};
use crate::fixture::{notes, run_of};

fn written_at(log: &[RunEvent], run_seq: u64) -> Timestamp {
    let event = log.iter().find(|event| event.run_seq == run_seq);
    event.map_or(Timestamp::MIN, |event| event.persisted_at)
}

/// tell of each run with undelivered events its cursor, head, age, state and counts, and of no other run
pub async fn pending_runs_are_told_in_full(cx: &Cx) -> Result<(), Failure> {
    let parked = cx.run_with("parked", 2).await?;
    let lease = cx.claim_only(&parked).await?.lease;
    cx.fail(&lease, 1, 5).await?;
    let letter = cx
        .store
        .park_run(&parked, &OperatorNote::new("ann", "receiver is down"))
        .await?;
    let backing_off = cx.run_with("backing off", 1).await?;
    cx.shift_clock(5).await?;
    cx.append(&backing_off, notes(2, 3)).await?;
    let lease = cx.claim_only(&backing_off).await?.lease;
    let FailOutcome::BackingOff { until } = cx.fail(&lease, 2, 5).await? else {
        return Err(Failure::new(
            "expected a back-off after the first failure of five",
        ));
    };
    let delivered = cx.run_with("delivered", 1).await?;
    let lease = cx.claim_only(&delivered).await?.lease;
    cx.store.acknowledge(&lease, 1).await?;
    let leased = cx.run_with("leased", 2).await?;
    cx.claim_only(&leased).await?;
    cx.outlive_leases().await?;
    let lease = cx.claim_only(&leased).await?.lease;
    let due = cx.run_with("due", 2).await?;
    cx.run("empty").await?;

    let found = cx.store.list_pending(&PendingQuery::default()).await?;

    let plain = |run: &RunKey, pending_since| PendingRun {
        run: run.clone(),
        delivered_seq: 0,
        last_seq: 2,
        pending_since,
        state: PendingState::Due,
        attempts: 0,
        unfinished_claims: 0,
        claim_no: 0,
        last_error: None,
    };
    let expected = [
        PendingRun {
            delivered_seq: 1,
            last_seq: 3,
            state: PendingState::BackingOff { until },
            attempts: 1,
            claim_no: 1,
            last_error: Some("no luck".into()),
            ..plain(&backing_off, written_at(&cx.log(&backing_off).await?, 2))
        },
        plain(&due, written_at(&cx.log(&due).await?, 1)),
        PendingRun {
            state: PendingState::Leased {
                until: lease.expires_at,
            },
            unfinished_claims: 2,
            claim_no: 2,
            ..plain(&leased, written_at(&cx.log(&leased).await?, 1))
        },
        PendingRun {
            state: PendingState::Parked {
                since: letter.dead_at,
                dead_letter_no: 1,
            },
            attempts: 1,
            claim_no: 1,
            last_error: Some("no luck".into()),
            ..plain(&parked, written_at(&cx.log(&parked).await?, 1))
        },
    ];
    check_eq!(found, expected, "pending runs");

    // What has run out is due again.
    cx.shift_clock(200).await?;
    let found = cx.store.list_pending(&PendingQuery::default()).await?;
    let due: Vec<_> = found
        .iter()
        .map(|one| one.state == PendingState::Due)
        .collect();
    check_eq!(
        due,
        [true, true, true, false],
        "which of these are due later"
    );
    Ok(())
}

/// give pages of pending runs in the order of their keys that fit together, of one tenant if asked
pub async fn pages_of_pending_runs_fit_together(cx: &Cx) -> Result<(), Failure> {
    let mut expected = Vec::new();
    for (tenant_id, run_id, count) in [
        ("tenant", "a", 1),
        ("Tenant", "z", 1),
        ("tenant", "é", 1),
        ("tenant", "C", 0),
        ("tenant2", "0", 1),
        ("tenant", "B", 1),
        ("tenant", "b", 0),
        ("tenant", "A", 1),
    ] {
        let run = run_of(tenant_id, run_id);
        cx.bootstrap(&run, notes(1, count)).await?;
        if count > 0 {
            expected.push(run);
        }
    }
    expected.sort();

    for (tenant, limit) in [
        (None, 1),
        (None, 4),
        (None, u32::MAX),
        (Some("tenant"), 2),
        (Some("tenant"), 3),
        (Some("stranger"), 1),
    ] {
        let tenant_id = tenant.map(|tenant| run_of(tenant, "any").tenant_id);
        let mut query = PendingQuery {
            tenant_id,
            limit,
            ..PendingQuery::default()
        };
        let mut found: Vec<RunKey> = Vec::new();
        for _ in 0..10 {
            let page = cx.store.list_pending(&query).await?;
            query.after = page.last().map(|one| one.run.clone());
            let last = page.len() < limit as usize;
            found.extend(page.into_iter().map(|one| one.run));
            if last {
                break;
            }
        }
        let mut wanted = expected.clone();
        wanted.retain(|run| tenant.is_none_or(|tenant| tenant == run.tenant_id.as_str()));
        check_eq!(found, wanted, "pages of {limit}, of tenant {tenant:?}");
    }

    let none = PendingQuery {
        limit: 0,
        ..PendingQuery::default()
    };
    check_eq!(cx.store.list_pending(&none).await?, [], "page of 0");
    let only = cx.pending().await?.pop();
    let query = PendingQuery {
        run: only.as_ref().map(|one| one.run.clone()),
        ..PendingQuery::default()
    };
    check_eq!(
        cx.store.list_pending(&query).await?,
        only.into_iter().collect::<Vec<_>>(),
        "one run"
    );
    Ok(())
}

/// change nothing by peeking
pub async fn peeking_changes_nothing(cx: &Cx) -> Result<(), Failure> {
    let leased = cx.run_with("a", 2).await?;
    let lease = cx.claim_only(&leased).await?.lease;
    let due = cx.run_with("b", 2).await?;

    let first = cx.store.list_pending(&PendingQuery::default()).await?;
    let second = cx.store.list_pending(&PendingQuery::default()).await?;

    check_eq!(second, first, "pending runs, told twice");
    check_eq!(
        cx.claim_only(&due).await?.lease.claim_no,
        1,
        "claim_no of the run that was due"
    );
    cx.store.acknowledge(&lease, 2).await?;
    Ok(())
}

/// count each run with undelivered events in exactly one state, and each undelivered event once
pub async fn stats_count_each_run_and_event_once(cx: &Cx) -> Result<(), Failure> {
    let parked = cx.run_with("parked", 3).await?;
    cx.kill(&parked).await?;
    let skipped = cx.run_with("skipped", 1).await?;
    let dead_letter_no = cx.kill(&skipped).await?;
    let note = OperatorNote::new("bob", "never needed");
    cx.store
        .skip_dead_letter(&skipped, dead_letter_no, &note)
        .await?;
    for run_id in ["backing off 1", "backing off 2"] {
        cx.run_with(run_id, 3).await?;
    }
    for one in cx.claim().await? {
        cx.fail(&one.lease, 2, 5).await?;
    }
    for run_id in ["leased 1", "leased 2", "leased 3"] {
        cx.run_with(run_id, 2).await?;
    }
    cx.claim().await?;
    for run_id in ["due 1", "due 2", "due 3", "due 4"] {
        cx.run_with(run_id, 2).await?;
    }
    cx.run("empty").await?;

    let found = cx.store.stats().await?;
    cx.shift_clock(121).await?;
    let later = cx.store.stats().await?;

    let expected = OutboxStats {
        due_runs: 4,
        leased_runs: 3,
        backing_off_runs: 2,
        parked_runs: 1,
        // 2 behind the dead one, 2 × 2 backing off, 3 × 2 leased, 4 × 2 due.
        pending_events: 20,
        dead_letters: 2,
        skipped_events: 1,
        oldest_pending_age: found.oldest_pending_age,
        destination: None,
        last_retarget: None,
    };
    check_eq!(found, expected, "stats");
    let moving = (later.due_runs, later.leased_runs, later.backing_off_runs);
    check_eq!(
        moving,
        (9, 0, 0),
        "due, leased and backing-off runs after leases and delays"
    );
    Ok(())
}

/// tell the age of the oldest undelivered event
pub async fn stats_tell_the_age_of_the_oldest_event(cx: &Cx) -> Result<(), Failure> {
    let aged = async |seconds: u64| -> Result<(), Failure> {
        let found = cx.store.stats().await?.oldest_pending_age;
        let earliest = Duration::from_secs(seconds).saturating_sub(cx.time_precision());
        let latest = Duration::from_secs(seconds + 20);
        check!(
            found.is_some_and(|age| earliest <= age && age <= latest),
            "expected an age from {earliest:?} to {latest:?}, found {found:?}"
        );
        Ok(())
    };
    cx.run("empty").await?;
    check_eq!(
        cx.store.stats().await?.oldest_pending_age,
        None,
        "age without events"
    );

    let run = cx.run_with("a", 1).await?;
    aged(0).await?;
    cx.shift_clock(100).await?;
    cx.append(&run, notes(2, 2)).await?;
    let other = cx.run_with("b", 1).await?;
    cx.shift_clock(50).await?;
    aged(150).await?;

    let claimed = cx.claim().await?;
    aged(150).await?;
    for one in claimed.iter().filter(|one| one.lease.run == run) {
        cx.store.acknowledge(&one.lease, 1).await?;
    }
    aged(50).await?;

    for one in claimed.iter().filter(|one| one.lease.run == other) {
        cx.store.acknowledge(&one.lease, 1).await?;
    }
    let rest = cx.claim_only(&run).await?.lease;
    cx.store.acknowledge(&rest, 2).await?;
    check_eq!(
        cx.store.stats().await?.oldest_pending_age,
        None,
        "age when all is delivered"
    );
    Ok(())
}
