//! Work under a lease: what acknowledging, failing, releasing and extending do to a run.
//!
//! The caller has found the run by its lease ([`State::leased`](crate::state::State::leased)).

use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, DeadLetterCause, FailOutcome, Lease, LeaseError, LeaseToken, OnExhausted,
    OperatorNote, PendingRun, PendingState, ResolutionKind, RetryPolicy, SafeText, Timestamp,
};

use crate::run::Run;

impl Run {
    /// Whether any event is after the cursor, dead or not.
    pub(crate) fn has_pending(&self) -> bool {
        self.cursor.delivered_seq < self.head()
    }

    pub(crate) fn stale_lease(&self) -> LeaseError {
        LeaseError::StaleLease {
            run: self.key.clone(),
            delivered_seq: self.cursor.delivered_seq,
        }
    }

    pub(crate) fn acknowledge(
        &mut self,
        done: &Acknowledgement,
        now: Timestamp,
    ) -> Result<(), LeaseError> {
        self.check_seq(&done.lease, done.through)?;
        self.cursor.finish_claim();
        self.cursor.move_to(done.through);
        self.go_on(now);
        Ok(())
    }

    pub(crate) fn fail(
        &mut self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
        now: Timestamp,
    ) -> Result<FailOutcome, LeaseError> {
        self.check_seq(lease, seq)?;
        self.cursor.finish_claim();
        self.cursor.move_to(seq - 1);
        self.cursor.attempts = self.cursor.attempts.saturating_add(1);
        self.cursor.last_error = Some(error.as_str().to_owned());
        if self.cursor.attempts < policy.max_attempts() {
            let until = now.saturating_add(policy.delay(self.cursor.attempts, entropy()));
            self.cursor.due_at = Some(until);
            return Ok(FailOutcome::BackingOff { until });
        }
        let dead_letter_no = self.bury(DeadLetterCause::AttemptsExhausted, error, now);
        Ok(match policy.on_exhausted() {
            OnExhausted::Park => FailOutcome::Parked { dead_letter_no },
            OnExhausted::Skip => {
                let note = OperatorNote::exhausted();
                self.resolve(ResolutionKind::Skipped, &note, now);
                FailOutcome::Skipped { dead_letter_no }
            }
        })
    }

    pub(crate) fn release(&mut self, now: Timestamp) {
        self.cursor.finish_claim();
        self.go_on(now);
    }

    /// Lengthens the lease, if it has not expired, and tells its new end.
    pub(crate) fn extend(&mut self, by: Duration, now: Timestamp) -> Result<Timestamp, LeaseError> {
        if self.cursor.is_due(now) {
            return Err(self.stale_lease());
        }
        let until = now.saturating_add(by);
        self.cursor.due_at = Some(until);
        Ok(until)
    }

    /// What `list_pending` tells of the run; `None` if it has nothing to deliver.
    pub(crate) fn pending(&self, now: Timestamp) -> Option<PendingRun> {
        let oldest = self.events_after(self.cursor.delivered_seq).next()?;
        let state = match self.open_letter() {
            Some((dead_letter_no, letter)) => PendingState::Parked {
                since: letter.dead_at,
                dead_letter_no,
            },
            None => self.cursor.state(now),
        };
        Some(PendingRun {
            run: self.key.clone(),
            delivered_seq: self.cursor.delivered_seq,
            last_seq: self.head(),
            pending_since: oldest.persisted_at,
            state,
            attempts: self.cursor.attempts,
            unfinished_claims: self.cursor.unfinished_claims,
            claim_no: self.cursor.claim_no,
            last_error: self.cursor.last_error(),
        })
    }

    /// Due at once, if there is anything left to deliver.
    pub(crate) fn go_on(&mut self, now: Timestamp) {
        self.cursor.due_at = self.has_pending().then_some(now);
    }

    /// Whether the event was handed out with the lease and has not been answered.
    fn check_seq(&self, lease: &Lease, seq: u64) -> Result<(), LeaseError> {
        let delivered_seq = self.cursor.delivered_seq;
        // The lease comes from the caller: no more than the log has.
        let last_seq = lease.last_seq.min(self.head());
        if delivered_seq < seq && seq <= last_seq {
            return Ok(());
        }
        Err(LeaseError::SeqOutOfRange {
            run: self.key.clone(),
            seq,
            delivered_seq,
            last_seq,
        })
    }
}

/// Evenly spread bits: a random UUID has six fixed ones, each of which meets a random one here.
fn entropy() -> u64 {
    let (high, low) = LeaseToken::generate().as_uuid().as_u64_pair();
    high ^ low
}
