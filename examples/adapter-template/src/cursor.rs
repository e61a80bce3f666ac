use dvt_contracts::{PendingState, SafeText, Timestamp};
use serde::{Deserialize, Serialize};

/// A run's place in the outbox: everything up to the cursor is delivered or skipped, the rest of the log is not.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(crate) delivered_seq: u64,
    /// When the run may be claimed: since it has work, from the end of its lease, or from the end of its back-off.
    /// `None` if it has nothing to deliver or is parked.
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) claim_no: u64,
    /// The token of the last claim, until it is used, released or stolen. The lease may have expired.
    pub(crate) token: Option<String>,
    /// Failed deliveries of the event after the cursor.
    pub(crate) attempts: u32,
    pub(crate) unfinished_claims: u32,
    pub(crate) last_error: Option<String>,
}

impl Cursor {
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due_at| due_at <= now)
    }

    /// What a run that has pending events and is not parked waits for.
    pub(crate) fn state(&self, now: Timestamp) -> PendingState {
        match self.due_at.filter(|due_at| *due_at > now) {
            None => PendingState::Due,
            Some(until) if self.token.is_some() => PendingState::Leased { until },
            Some(until) => PendingState::BackingOff { until },
        }
    }

    pub(crate) fn last_error(&self) -> Option<SafeText> {
        self.last_error.as_deref().map(SafeText::from)
    }

    /// Moves on, which forgets what was tried with the event before.
    pub(crate) fn move_to(&mut self, seq: u64) {
        if seq > self.delivered_seq {
            self.delivered_seq = seq;
            self.forget_failures();
        }
    }

    /// Starts the count of attempts anew.
    pub(crate) fn forget_failures(&mut self) {
        self.attempts = 0;
        self.last_error = None;
    }

    /// Acknowledge, fail and release end the lease and count as finishing the claim.
    pub(crate) fn finish_claim(&mut self) {
        self.token = None;
        self.unfinished_claims = 0;
    }
}
