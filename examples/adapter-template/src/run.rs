use dvt_contracts::{
    IdempotencyKey, RunEvent, RunKey, RunMetadata, RunRecord, RunStatus, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;
use crate::row::{CheckpointRow, DeadLetterRow, KeyRow, MetadataRow, ProviderRow, events};

/// A run: its log and its place in the outbox. An append changes both, so they stay together.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    #[serde(with = "KeyRow")]
    pub(crate) key: RunKey,
    #[serde(with = "MetadataRow")]
    pub(crate) metadata: RunMetadata,
    pub(crate) provider_ref: Option<ProviderRow>,
    pub(crate) created_at: Timestamp,
    /// The tolerant fold of the log, kept up with every append.
    pub(crate) status: RunStatus,
    /// Set once the run was pruned; its log is empty then.
    pub(crate) tombstone: Option<Tombstone>,
    pub(crate) checkpoint: Option<CheckpointRow>,
    /// Event `n` stands at place `n - 1`: a gap cannot even be written down.
    #[serde(with = "events")]
    pub(crate) log: Vec<RunEvent>,
    pub(crate) cursor: Cursor,
    /// Dead letter `n` stands at place `n - 1`; only the last one can be open.
    pub(crate) dead_letters: Vec<DeadLetterRow>,
}

/// What is left of a pruned log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) head: u64,
    pub(crate) pruned_at: Timestamp,
}

impl Run {
    pub(crate) fn new(key: RunKey, metadata: RunMetadata, now: Timestamp) -> Self {
        Self {
            key,
            metadata,
            provider_ref: None,
            created_at: now,
            status: RunStatus::Pending,
            tombstone: None,
            checkpoint: None,
            log: Vec::new(),
            cursor: Cursor::default(),
            dead_letters: Vec::new(),
        }
    }

    /// What must hold of a run in a file that can be worked with.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (head, cursor) = (self.head(), self.cursor.delivered_seq);
        let letter = self.open_letter();
        let faults = [
            (cursor > head, "its cursor lies beyond its head"),
            (
                self.tombstone.is_some() && !self.log.is_empty(),
                "it was pruned and has events",
            ),
            (
                self.tombstone.is_some() && cursor < head,
                "it was pruned before it was delivered",
            ),
            (
                letter.is_some_and(|(_, dead)| dead.run_seq.checked_sub(1) != Some(cursor)),
                "its open dead letter is not its next event",
            ),
            (
                letter.is_some() && !self.has_pending(),
                "its open dead letter has no event",
            ),
            (
                self.cursor.due_at.is_some() != (self.has_pending() && letter.is_none()),
                "it is due with nothing to do, or has something to do and is never due",
            ),
        ];
        match faults.iter().find(|(found, _)| *found) {
            Some((_, fault)) => Err(format!("run {}: {fault}", self.key)),
            None => Ok(()),
        }
    }

    /// The last `run_seq`.
    pub(crate) fn head(&self) -> u64 {
        match &self.tombstone {
            Some(tombstone) => tombstone.head,
            None => self.log.len() as u64,
        }
    }

    pub(crate) fn pruned_at(&self) -> Option<Timestamp> {
        self.tombstone.as_ref().map(|tombstone| tombstone.pruned_at)
    }

    pub(crate) fn record(&self) -> RunRecord {
        RunRecord {
            run: self.key.clone(),
            metadata: self.metadata.clone(),
            provider_ref: self.provider_ref.clone().map(ProviderRow::into_inner),
            status: self.status,
            head: self.head(),
            delivered_seq: self.cursor.delivered_seq,
            created_at: self.created_at,
            pruned_at: self.pruned_at(),
        }
    }

    /// The event that holds this key.
    pub(crate) fn event_with(&self, key: &IdempotencyKey) -> Option<&RunEvent> {
        self.log
            .iter()
            .find(|stored| stored.event.idempotency_key() == key)
    }

    /// The events after this one, in log order.
    pub(crate) fn events_after(&self, seq: u64) -> impl Iterator<Item = &RunEvent> {
        let places = usize::try_from(seq).unwrap_or(usize::MAX);
        self.log.iter().skip(places)
    }
}
