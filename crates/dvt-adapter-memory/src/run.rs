use std::collections::HashMap;

use dvt_contracts::{
    Checkpoint, DeadLetter, IdempotencyKey, Lease, LeaseError, LeaseToken, PendingRun,
    PendingState, ProviderRef, RunEvent, RunKey, RunMetadata, RunRecord, RunStatus, SafeText,
    Timestamp,
};

/// Everything about one run: the head row of a database and the rows that hang on it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) metadata: RunMetadata,
    pub(crate) provider_ref: Option<ProviderRef>,
    pub(crate) status: RunStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) pruned_at: Option<Timestamp>,
    pub(crate) head: u64,
    /// Event `n` at index `n - 1`; empty once pruned.
    pub(crate) events: Vec<RunEvent>,
    pub(crate) keys: HashMap<IdempotencyKey, u64>,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) delivered_seq: u64,
    pub(crate) due: Option<Due>,
    pub(crate) claim_no: u64,
    pub(crate) lease: Option<(LeaseToken, Timestamp)>,
    pub(crate) attempts: u32,
    pub(crate) unfinished_claims: u32,
    pub(crate) last_error: Option<SafeText>,
    pub(crate) dead_letters: Vec<DeadLetter>,
}

/// When a run may be claimed. The ticket keeps runs in order that became due at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: Timestamp,
    pub(crate) ticket: u64,
}

impl Run {
    pub(crate) fn new(metadata: RunMetadata, created_at: Timestamp) -> Self {
        Self {
            metadata,
            provider_ref: None,
            status: RunStatus::Pending,
            created_at,
            pruned_at: None,
            head: 0,
            events: Vec::new(),
            keys: HashMap::new(),
            checkpoint: None,
            delivered_seq: 0,
            due: None,
            claim_no: 0,
            lease: None,
            attempts: 0,
            unfinished_claims: 0,
            last_error: None,
            dead_letters: Vec::new(),
        }
    }

    pub(crate) fn record(&self, run: &RunKey) -> RunRecord {
        RunRecord {
            run: run.clone(),
            metadata: self.metadata.clone(),
            provider_ref: self.provider_ref.clone(),
            status: self.status,
            head: self.head,
            delivered_seq: self.delivered_seq,
            created_at: self.created_at,
            pruned_at: self.pruned_at,
        }
    }

    /// The events after `seq`.
    pub(crate) fn events_after(&self, seq: u64) -> &[RunEvent] {
        let from = usize::try_from(seq)
            .unwrap_or(usize::MAX)
            .min(self.events.len());
        &self.events[from..]
    }

    pub(crate) fn event(&self, seq: u64) -> Option<&RunEvent> {
        self.events_after(seq.checked_sub(1)?).first()
    }

    /// The dead letter that parks the run.
    pub(crate) fn open_dead_letter(&self) -> Option<&DeadLetter> {
        self.dead_letters.last().filter(|letter| letter.is_open())
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.delivered_seq < self.head
    }

    pub(crate) fn pending(&self, run: &RunKey, now: Timestamp) -> Option<PendingRun> {
        let oldest = self.event(self.delivered_seq + 1)?;
        Some(PendingRun {
            run: run.clone(),
            delivered_seq: self.delivered_seq,
            last_seq: self.head,
            pending_since: oldest.persisted_at,
            state: self.pending_state(now),
            attempts: self.attempts,
            unfinished_claims: self.unfinished_claims,
            claim_no: self.claim_no,
            last_error: self.last_error.clone(),
        })
    }

    fn pending_state(&self, now: Timestamp) -> PendingState {
        if let Some(letter) = self.open_dead_letter() {
            return PendingState::Parked {
                since: letter.dead_at,
                dead_letter_no: letter.dead_letter_no,
            };
        }
        match (self.lease, self.due) {
            (Some((_, until)), _) if until > now => PendingState::Leased { until },
            (_, Some(due)) if due.at > now => PendingState::BackingOff { until: due.at },
            _ => PendingState::Due,
        }
    }

    /// Whether the lease still stands: nobody used, released or stole it.
    pub(crate) fn check_lease(&self, lease: &Lease) -> Result<(), LeaseError> {
        match self.lease {
            Some((token, _)) if token == lease.token => Ok(()),
            _ => Err(self.stale(&lease.run)),
        }
    }

    pub(crate) fn stale(&self, run: &RunKey) -> LeaseError {
        LeaseError::StaleLease {
            run: run.clone(),
            delivered_seq: self.delivered_seq,
        }
    }

    /// Whether the event is still to be answered under the lease.
    pub(crate) fn check_seq(&self, lease: &Lease, seq: u64) -> Result<(), LeaseError> {
        let last_seq = lease.last_seq.min(self.head);
        if self.delivered_seq < seq && seq <= last_seq {
            return Ok(());
        }
        Err(LeaseError::SeqOutOfRange {
            run: lease.run.clone(),
            seq,
            delivered_seq: self.delivered_seq,
            last_seq,
        })
    }

    /// Moves the cursor; attempts and error belong to the event after it.
    pub(crate) fn deliver_through(&mut self, seq: u64) {
        if seq > self.delivered_seq {
            self.delivered_seq = seq;
            self.attempts = 0;
            self.last_error = None;
        }
    }

    pub(crate) fn end_lease(&mut self) {
        self.lease = None;
        self.unfinished_claims = 0;
    }
}
