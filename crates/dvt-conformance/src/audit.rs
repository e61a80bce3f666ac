//! What holds of every store at any time, checked after each case and each random history.

use std::collections::{HashMap, HashSet};

use dvt_contracts::{
    DeadLetter, DeadLetterQuery, MAX_PAGE, OutboxStats, OutboxStorage, PendingQuery, PendingRun,
    PendingState, RunKey, RunQuery, RunRecord, RunState, RunStateStore, Store,
};

use crate::failure::{Failure, check, check_eq};

/// Walks over the whole store and checks:
/// - sequences are dense, keys unique, times within a run never decrease, the status is the tolerant fold;
/// - cursors lie below heads, and a parked run has its open dead letter at the cursor;
/// - the numbers of `stats` are those of the runs that `list_pending` tells.
pub(crate) async fn audit(store: &dyn Store) -> Result<(), Failure> {
    let records = all_runs(store).await?;
    for record in &records {
        check_log(store, record)
            .await
            .map_err(|failure| in_run(&record.run, &failure))?;
    }
    let records: HashMap<_, _> = records.iter().map(|record| (&record.run, record)).collect();
    let pending = all_pending(store).await?;
    let dead = all_dead(store).await?;
    for run in &pending {
        check_pending(run, records.get(&run.run).copied(), &dead)
            .map_err(|failure| in_run(&run.run, &failure))?;
    }
    check_stats(&store.stats().await?, &pending, &dead)
}

fn in_run(run: &RunKey, failure: &Failure) -> Failure {
    Failure::new(format!("audit of run {run}: {failure}"))
}

pub(crate) async fn all_runs(store: &dyn RunStateStore) -> Result<Vec<RunRecord>, Failure> {
    let mut records = Vec::new();
    for tenant_id in store.list_tenants(None, MAX_PAGE).await? {
        let mut query = RunQuery::new(tenant_id);
        loop {
            let page = store.list_runs(&query).await?;
            query.after = page.last().map(|record| record.run.run_id.clone());
            let last = page.len() < MAX_PAGE as usize;
            records.extend(page);
            if last {
                break;
            }
        }
    }
    Ok(records)
}

/// The whole log of a run.
#[cfg(feature = "faults")]
pub(crate) async fn log_of(
    store: &dyn RunStateStore,
    run: &RunKey,
) -> Result<Vec<dvt_contracts::RunEvent>, Failure> {
    let mut log: Vec<dvt_contracts::RunEvent> = Vec::new();
    loop {
        let after = log.last().map_or(0, |event| event.run_seq);
        let page = store.list_events(run, after, MAX_PAGE).await?;
        let is_last = page.is_last(after) || page.events.is_empty();
        log.extend(page.events);
        if is_last {
            return Ok(log);
        }
    }
}

async fn all_pending(store: &dyn OutboxStorage) -> Result<Vec<PendingRun>, Failure> {
    let mut all: Vec<PendingRun> = Vec::new();
    loop {
        let after = all.last().map(|pending| pending.run.clone());
        let page = store
            .list_pending(&PendingQuery {
                after,
                ..PendingQuery::default()
            })
            .await?;
        let last = page.len() < MAX_PAGE as usize;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

async fn all_dead(store: &dyn OutboxStorage) -> Result<Vec<DeadLetter>, Failure> {
    Ok(store.list_dead_letters(&DeadLetterQuery::default()).await?)
}

async fn check_log(store: &dyn RunStateStore, record: &RunRecord) -> Result<(), Failure> {
    let mut state = RunState::new();
    let mut keys = HashSet::new();
    let mut persisted_at = None;
    loop {
        let after = state.last_seq();
        let page = store.list_events(&record.run, after, MAX_PAGE).await?;
        check_eq!(
            page.head,
            record.head,
            "head of the page against the record"
        );
        for event in &page.events {
            check_eq!(event.run_seq, state.last_seq() + 1, "run_seq");
            check!(
                keys.insert(event.event.idempotency_key().clone()),
                "a key stands twice"
            );
            check!(
                persisted_at <= Some(event.persisted_at),
                "persisted_at went back"
            );
            persisted_at = Some(event.persisted_at);
            state.fold(event);
        }
        if page.is_last(after) || page.events.is_empty() {
            break;
        }
    }
    if record.pruned_at.is_some() {
        check_eq!(state.last_seq(), 0, "last event of a pruned run");
        check!(
            record.status.is_terminal(),
            "pruned while {}",
            record.status
        );
        return Ok(());
    }
    check!(
        record.delivered_seq <= record.head,
        "cursor {} beyond the head",
        record.delivered_seq
    );
    check_eq!(state.last_seq(), record.head, "last event against the head");
    check_eq!(
        record.status,
        state.status(),
        "status in the record against the fold"
    );
    Ok(())
}

fn check_pending(
    pending: &PendingRun,
    record: Option<&RunRecord>,
    dead: &[DeadLetter],
) -> Result<(), Failure> {
    let places = record.map(|record| (record.delivered_seq, record.head));
    let found = Some((pending.delivered_seq, pending.last_seq));
    check_eq!(
        found,
        places,
        "cursor and head in the outbox against the record"
    );
    check!(
        pending.delivered_seq < pending.last_seq,
        "cursor at or beyond the head"
    );
    let open = dead
        .iter()
        .find(|letter| letter.run == pending.run && letter.is_open())
        .map(|letter| (letter.run_seq, letter.dead_letter_no));
    let parked = match pending.state {
        PendingState::Parked { dead_letter_no, .. } => {
            Some((pending.delivered_seq + 1, dead_letter_no))
        }
        _ => None,
    };
    check_eq!(open, parked, "open dead letter against the parked event");
    Ok(())
}

fn check_stats(
    stats: &OutboxStats,
    pending: &[PendingRun],
    dead: &[DeadLetter],
) -> Result<(), Failure> {
    let open = dead.iter().filter(|letter| letter.is_open()).count() as u64;
    let parked = pending
        .iter()
        .filter(|run| matches!(run.state, PendingState::Parked { .. }))
        .count() as u64;
    check_eq!(stats.parked_runs, parked, "parked runs in stats");
    check_eq!(
        stats.dead_letters,
        dead.len() as u64,
        "dead letters in stats"
    );
    let skipped = dead.iter().filter(|letter| letter.is_skipped()).count() as u64;
    check_eq!(stats.skipped_events, skipped, "skipped events in stats");
    let moving = stats.due_runs + stats.leased_runs + stats.backing_off_runs;
    check_eq!(
        moving,
        pending.len() as u64 - parked,
        "due, leased and backing-off runs in stats"
    );
    let events: u64 = pending
        .iter()
        .map(|run| run.last_seq - run.delivered_seq)
        .sum();
    check_eq!(
        stats.pending_events,
        events - open,
        "pending events in stats"
    );
    Ok(())
}
