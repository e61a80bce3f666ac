//! Bugs in reading a log, in checkpoints and in pruning.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::*;

use super::tools::{clock, log};
use super::{on, planted};
use crate::bug::Bug;

planted! {
    EventPagesOverlap => "begins a page of events with the last one of the page before",
    EventLimitZeroIsOne => "gives one event for a limit of 0",
    PageHeadIsItsLast => "tells the last event of a page as the head",
    HugeAfterWraps => "takes an `after_seq` beyond 2^63 for a negative number",
    PagesUnbounded => "gives as many events as asked for",
    PageBytesUnbounded => "gives a page of any number of bytes",
    CheckpointForgotten => "loads no checkpoint",
    CheckpointTrimmed => "trims the state of a checkpoint",
    OlderCheckpointWins => "lets an older checkpoint replace a newer one",
    SupersededUntold => "tells that an older checkpoint was saved",
    EqualCheckpointStays => "keeps the checkpoint if one of the same `run_seq` is saved",
    FutureCheckpointTaken => "takes a checkpoint beyond the head",
    CheckpointCutsTheLog => "reads only the events after the checkpoint",
    CheckpointGivesTheStatus => "takes the head of a run from its checkpoint",
    PruneLeavesTheCheckpoint => "leaves the checkpoint of a pruned run",
    PruneLeavesTheEvents => "leaves the events of a pruned run readable",
    PruneCountsNothing => "does not count the events that a prune removed",
    LiveRunPruned => "answers that a run was pruned that has not ended",
    UndeliveredRunPruned => "answers that a run with undelivered events was pruned",
    SecondPruneCounts => "gives a pruned run a new time at each prune",
    UnstorableCheckpointTaken => "takes checkpoints of any size and with any character",
    CheckpointOffByOne => "refuses a checkpoint with exactly as many bytes as are allowed",
    PruneTakesTheLetters => "removes the dead letters with the events",
    TombstoneTakesAReference => "accepts a provider reference for a pruned run",
    TombstoneWithoutHead => "tells the head of a pruned run as 0",
}

type Page = Result<EventPage, StoreError>;
type Pruned = Result<PruneOutcome, StoreError>;
type Saved = Result<SaveOutcome, StoreError>;

on!(EventPagesOverlap, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    inner.list_events(run, after_seq.saturating_sub(1), limit).await
});
on!(EventLimitZeroIsOne, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    inner.list_events(run, after_seq, limit.max(1)).await
});
on!(PageHeadIsItsLast, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    let mut page = inner.list_events(run, after_seq, limit).await?;
    page.head = page.events.last().map_or(page.head, |event| event.run_seq);
    Ok(page)
});
on!(HugeAfterWraps, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    let after_seq = if after_seq > i64::MAX as u64 { 0 } else { after_seq };
    inner.list_events(run, after_seq, limit).await
});

/// Joins pages until they hold `limit` events or the log ends.
async fn joined(inner: &dyn Store, run: &RunKey, after_seq: u64, limit: u32) -> Page {
    let mut joined = inner.list_events(run, after_seq, limit).await?;
    while let (Some(last), true) = (joined.events.last(), joined.events.len() < limit as usize) {
        let rest = limit - joined.events.len() as u32;
        let mut page = inner.list_events(run, last.run_seq, rest).await?;
        if page.events.is_empty() {
            break;
        }
        joined.events.append(&mut page.events);
    }
    Ok(joined)
}
on!(PagesUnbounded, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    let large = log(inner, run).await.iter().any(|event| event.event.payload().size() > 1_000);
    let limit = if large { limit.min(MAX_PAGE) } else { limit };
    if large { inner.list_events(run, after_seq, limit).await } else { joined(inner, run, after_seq, limit).await }
});
on!(PageBytesUnbounded, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    joined(inner, run, after_seq, limit.min(MAX_PAGE)).await
});
on!(CheckpointForgotten, load_checkpoint(run: &RunKey) -> Result<Option<Checkpoint>, StoreError>, |inner| {
    inner.load_checkpoint(run).await.map(|_| None)
});
on!(CheckpointTrimmed, save_checkpoint(run: &RunKey, checkpoint: &Checkpoint) -> Saved, |inner| {
    let state = checkpoint.state.trim().to_owned();
    inner.save_checkpoint(run, &Checkpoint { state, ..checkpoint.clone() }).await
});
on!(SupersededUntold, save_checkpoint(run: &RunKey, checkpoint: &Checkpoint) -> Saved, |inner| {
    inner.save_checkpoint(run, checkpoint).await.map(|_| SaveOutcome::Saved)
});
on!(EqualCheckpointStays, save_checkpoint(run: &RunKey, checkpoint: &Checkpoint) -> Saved, |inner| {
    match inner.load_checkpoint(run).await? {
        Some(stored) if stored.run_seq == checkpoint.run_seq => Ok(SaveOutcome::Saved),
        _ => inner.save_checkpoint(run, checkpoint).await,
    }
});
on!(FutureCheckpointTaken, save_checkpoint(run: &RunKey, checkpoint: &Checkpoint) -> Saved, |inner| {
    match inner.save_checkpoint(run, checkpoint).await {
        Err(StoreError::Invalid(_)) => Ok(SaveOutcome::Saved),
        reply => reply,
    }
});
on!(CheckpointCutsTheLog, list_events(run: &RunKey, after_seq: u64, limit: u32) -> Page, |inner| {
    let stored = inner.load_checkpoint(run).await?.map_or(0, |checkpoint| checkpoint.run_seq);
    inner.list_events(run, after_seq.max(stored), limit).await
});
on!(CheckpointGivesTheStatus, get_run(run: &RunKey) -> Result<RunRecord, StoreError>, |inner| {
    let mut record = inner.get_run(run).await?;
    if let Some(checkpoint) = inner.load_checkpoint(run).await? {
        record.head = checkpoint.run_seq;
    }
    Ok(record)
});
on!(PruneCountsNothing, prune_run(run: &RunKey) -> Pruned, |inner| {
    inner.prune_run(run).await.map(|outcome| PruneOutcome { removed: 0, ..outcome })
});
on!(LiveRunPruned, prune_run(run: &RunKey) -> Pruned, |inner| {
    match inner.prune_run(run).await {
        Err(StoreError::NotPrunable { status, head, .. }) if !status.is_terminal() => {
            Ok(PruneOutcome { pruned_at: clock(inner).await, removed: head })
        }
        reply => reply,
    }
});
on!(UndeliveredRunPruned, prune_run(run: &RunKey) -> Pruned, |inner| {
    match inner.prune_run(run).await {
        Err(StoreError::NotPrunable { status, head, .. }) if status.is_terminal() => {
            Ok(PruneOutcome { pruned_at: clock(inner).await, removed: head })
        }
        reply => reply,
    }
});
on!(SecondPruneCounts, prune_run(run: &RunKey) -> Pruned, |inner| {
    let mut outcome = inner.prune_run(run).await?;
    if outcome.removed == 0 {
        outcome.pruned_at = outcome.pruned_at.saturating_add(Duration::from_secs(100));
    }
    Ok(outcome)
});
on!(TombstoneTakesAReference, save_provider_ref(run: &RunKey, provider_ref: &ProviderRef) -> Result<(), StoreError>, |inner| {
    match inner.save_provider_ref(run, provider_ref).await {
        Err(StoreError::RunPruned { .. }) => Ok(()),
        reply => reply,
    }
});

#[derive(Debug, Default)]
struct OlderCheckpointWins(Mutex<HashMap<RunKey, Checkpoint>>);
#[async_trait]
impl Bug for OlderCheckpointWins {
    async fn save_checkpoint(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Saved {
        inner.save_checkpoint(run, checkpoint).await?;
        self.0
            .lock()
            .expect("notes")
            .insert(run.clone(), checkpoint.clone());
        Ok(SaveOutcome::Saved)
    }
    async fn load_checkpoint(
        &self,
        inner: &dyn Store,
        run: &RunKey,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let stored = inner.load_checkpoint(run).await?;
        Ok(stored.and(self.0.lock().expect("notes").get(run).cloned()))
    }
}

#[derive(Debug, Default)]
struct PruneLeavesTheCheckpoint(Mutex<HashMap<RunKey, Checkpoint>>);
#[async_trait]
impl Bug for PruneLeavesTheCheckpoint {
    async fn prune_run(&self, inner: &dyn Store, run: &RunKey) -> Pruned {
        let checkpoint = inner.load_checkpoint(run).await?;
        let outcome = inner.prune_run(run).await?;
        let mut notes = self.0.lock().expect("notes");
        notes.extend(checkpoint.map(|checkpoint| (run.clone(), checkpoint)));
        Ok(outcome)
    }
    async fn load_checkpoint(
        &self,
        inner: &dyn Store,
        run: &RunKey,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let stored = inner.load_checkpoint(run).await?;
        Ok(stored.or(self.0.lock().expect("notes").get(run).cloned()))
    }
}

#[derive(Debug, Default)]
struct PruneLeavesTheEvents(Mutex<HashMap<RunKey, Vec<RunEvent>>>);
#[async_trait]
impl Bug for PruneLeavesTheEvents {
    async fn prune_run(&self, inner: &dyn Store, run: &RunKey) -> Pruned {
        let log = log(inner, run).await;
        let outcome = inner.prune_run(run).await?;
        self.0
            .lock()
            .expect("notes")
            .entry(run.clone())
            .or_insert(log);
        Ok(outcome)
    }
    async fn list_events(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Page {
        let mut page = inner.list_events(run, after_seq, limit).await?;
        if let Some(log) = self.0.lock().expect("notes").get(run) {
            let left = log.iter().filter(|event| event.run_seq > after_seq);
            page.events = left.take(limit as usize).cloned().collect();
        }
        Ok(page)
    }
}

#[derive(Debug, Default)]
struct TombstoneWithoutHead;
#[async_trait]
impl Bug for TombstoneWithoutHead {
    async fn get_run(&self, inner: &dyn Store, run: &RunKey) -> Result<RunRecord, StoreError> {
        let mut record = inner.get_run(run).await?;
        if record.pruned_at.is_some() {
            record.head = 0;
        }
        Ok(record)
    }
    async fn list_events(
        &self,
        inner: &dyn Store,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Page {
        let mut page = inner.list_events(run, after_seq, limit).await?;
        if page.pruned_at.is_some() {
            page.head = 0;
        }
        Ok(page)
    }
}

on!(UnstorableCheckpointTaken, save_checkpoint(run: &RunKey, checkpoint: &Checkpoint) -> Saved, |inner| {
    match inner.save_checkpoint(run, checkpoint).await {
        Err(StoreError::Invalid(InvalidCall::CheckpointWithNul { .. })) => Ok(SaveOutcome::Saved),
        reply => reply,
    }
});
on!(CheckpointOffByOne, save_checkpoint(run: &RunKey, checkpoint: &Checkpoint) -> Saved, |inner| {
    let found = checkpoint.state.len() + checkpoint.checksum.len();
    if found >= MAX_CHECKPOINT_BYTES {
        return Err(InvalidCall::CheckpointTooLarge { found }.into());
    }
    inner.save_checkpoint(run, checkpoint).await
});

#[derive(Debug, Default)]
struct PruneTakesTheLetters;
#[async_trait]
impl Bug for PruneTakesTheLetters {
    async fn list_dead_letters(
        &self,
        inner: &dyn Store,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError> {
        let mut kept = Vec::new();
        for letter in inner.list_dead_letters(query).await? {
            let record = inner.get_run(&letter.run).await;
            if record.is_ok_and(|record| record.pruned_at.is_none()) {
                kept.push(letter);
            }
        }
        Ok(kept)
    }
}
