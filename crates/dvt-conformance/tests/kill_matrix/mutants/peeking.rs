//! Bugs in what an outbox tells about its work.

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::log;
use super::{on, planted};

planted! {
    PendingWithoutLeased => "lists no run that is under a repeated lease",
    PendingHeadOff => "tells the number of undelivered events as the head of a run whose delivery failed",
    PendingSinceTheNewest => "tells the time of the newest event as that of the oldest undelivered one",
    BackingOffIsDue => "calls a run due that backs off",
    LeasedIsBackingOff => "calls a leased run backing off",
    ParkedSinceForever => "tells the wrong moment since when a run is parked",
    PendingPagesOverlap => "begins a page of pending runs with the last one of the page before",
    PendingTenantIgnored => "lists the pending runs of all tenants",
    PendingInReverse => "lists pending runs backwards",
    PeekClaims => "claims a due run by peeking, and gives it back",
    PendingOfAnyRun => "lists all pending runs when one is asked for",
    StatsForgetSkipped => "does not count skipped events",
    StatsForgetResolved => "counts open dead letters only",
    StatsForgetTheChange => "does not tell when the destination was replaced",
    StatsCountDead => "counts dead events as pending",
    StatsForgetTheRest => "does not count a pending event of runs that back off",
    StatsLeasedIsDue => "counts leased runs as due",
    StatsAgeOfTheNewest => "tells an age of zero while anything is pending",
    StatsWithoutDestination => "tells no destination",
}

type Listed = Result<Vec<PendingRun>, OutboxError>;
type Stats = Result<OutboxStats, OutboxError>;

on!(PendingWithoutLeased, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    runs.retain(|run| {
        !matches!(run.state, PendingState::Leased { .. }) || run.claim_no == 1
    });
    Ok(runs)
});
on!(PendingHeadOff, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    let failed = runs.iter_mut().filter(|run| run.attempts > 0);
    failed.for_each(|run| run.last_seq -= run.delivered_seq);
    Ok(runs)
});
on!(PendingSinceTheNewest, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    for run in &mut runs {
        let newest = log(inner, &run.run).await.pop();
        run.pending_since = newest.map_or(run.pending_since, |event| event.persisted_at);
    }
    Ok(runs)
});
on!(BackingOffIsDue, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    for run in &mut runs {
        if matches!(run.state, PendingState::BackingOff { .. }) {
            run.state = PendingState::Due;
        }
    }
    Ok(runs)
});
on!(LeasedIsBackingOff, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    for run in &mut runs {
        if let PendingState::Leased { until } = run.state {
            run.state = PendingState::BackingOff { until };
        }
    }
    Ok(runs)
});
on!(ParkedSinceForever, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    for run in &mut runs {
        if let PendingState::Parked { since, .. } = &mut run.state {
            *since = Timestamp::MIN;
        }
    }
    Ok(runs)
});
on!(PendingPagesOverlap, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let all = PendingQuery { after: None, limit: MAX_PAGE, ..query.clone() };
    let mut runs = inner.list_pending(&all).await?;
    runs.retain(|run| query.after.as_ref().is_none_or(|after| run.run >= *after));
    runs.truncate(query.limit as usize);
    Ok(runs)
});
on!(PendingTenantIgnored, list_pending(query: &PendingQuery) -> Listed, |inner| {
    inner.list_pending(&PendingQuery { tenant_id: None, ..query.clone() }).await
});
on!(PendingInReverse, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let mut runs = inner.list_pending(query).await?;
    runs.reverse();
    Ok(runs)
});
on!(PeekClaims, list_pending(query: &PendingQuery) -> Listed, |inner| {
    let runs = inner.list_pending(query).await?;
    let one = ClaimRequest { max_runs: 1, max_events_per_run: 1, max_bytes: 1, lease: MIN_LEASE };
    for claimed in inner.claim(&one).await? {
        inner.release_one(&claimed.lease).await?;
    }
    Ok(runs)
});
on!(StatsCountDead, stats() -> Stats, |inner| {
    let mut stats = inner.stats().await?;
    stats.pending_events += stats.parked_runs;
    Ok(stats)
});
on!(StatsForgetTheRest, stats() -> Stats, |inner| {
    let mut stats = inner.stats().await?;
    stats.pending_events -= stats.backing_off_runs;
    Ok(stats)
});
on!(StatsLeasedIsDue, stats() -> Stats, |inner| {
    let mut stats = inner.stats().await?;
    stats.due_runs += std::mem::take(&mut stats.leased_runs);
    Ok(stats)
});
on!(StatsAgeOfTheNewest, stats() -> Stats, |inner| {
    let mut stats = inner.stats().await?;
    stats.oldest_pending_age = stats.oldest_pending_age.map(|_| std::time::Duration::ZERO);
    Ok(stats)
});
on!(StatsWithoutDestination, stats() -> Stats, |inner| {
    Ok(OutboxStats { destination: None, ..inner.stats().await? })
});

on!(PendingOfAnyRun, list_pending(query: &PendingQuery) -> Listed, |inner| {
    inner.list_pending(&PendingQuery { run: None, ..query.clone() }).await
});
on!(StatsForgetSkipped, stats() -> Stats, |inner| {
    Ok(OutboxStats { skipped_events: 0, ..inner.stats().await? })
});
on!(StatsForgetResolved, stats() -> Stats, |inner| {
    let stats = inner.stats().await?;
    Ok(OutboxStats { dead_letters: stats.parked_runs, ..stats })
});
on!(StatsForgetTheChange, stats() -> Stats, |inner| {
    Ok(OutboxStats { last_retarget: None, ..inner.stats().await? })
});
