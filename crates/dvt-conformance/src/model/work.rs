//! The outbox half of the reference model.

use std::time::Duration;

use dvt_contracts::{
    ClaimRequest, DeadLetter, DeadLetterCause, FailOutcome, LeaseError, OnExhausted, OperatorNote,
    OutboxError, Resolution, ResolutionKind, RetryPolicy, RunEvent, RunKey, SafeText, Timestamp,
    UNFINISHED_CLAIMS_ALONE,
};

use super::call::Grant;
use super::reference::{Model, ModelRun};
use super::text;

impl ModelRun {
    pub(super) fn is_pending(&self) -> bool {
        self.cursor < self.head()
    }

    pub(super) fn open_dead(&self) -> Option<&DeadLetter> {
        self.dead.iter().find(|letter| letter.is_open())
    }

    /// An append makes the run due unless it waits for something else.
    pub(super) fn make_due(&mut self, at: Timestamp) {
        if self.is_pending() && self.due.is_none() && self.open_dead().is_none() {
            self.due = Some(at);
        }
    }

    /// The end of a lease: due at once if anything is left.
    pub(super) fn give_back(&mut self, at: Timestamp) {
        self.lease_until = None;
        self.unfinished_claims = 0;
        self.due = self.is_pending().then_some(at);
    }

    pub(super) fn move_cursor(&mut self, through: u64) {
        if through > self.cursor {
            self.cursor = through;
            self.attempts = 0;
            self.last_error = None;
        }
    }

    pub(super) fn bury(
        &mut self,
        run: &RunKey,
        cause: DeadLetterCause,
        error: SafeText,
        now: Timestamp,
    ) -> u64 {
        let dead_letter_no = self.dead.len() as u64 + 1;
        self.due = None;
        self.dead.push(DeadLetter {
            run: run.clone(),
            dead_letter_no,
            run_seq: self.cursor + 1,
            attempts: self.attempts,
            cause,
            error,
            dead_at: now,
            resolution: None,
        });
        dead_letter_no
    }
}

impl Model {
    pub(super) fn claim(&mut self, request: &ClaimRequest, claimed: &[RunKey]) -> String {
        let now = self.now;
        let mut due: Vec<_> = self
            .runs
            .iter()
            .filter_map(|(run, entry)| entry.due.map(|due| (due, !claimed.contains(run), run)))
            .filter(|(due, _, _)| *due <= now)
            .map(|(due, unchosen, run)| (due, unchosen, run.clone()))
            .collect();
        due.sort_unstable();
        let suspect = |run: &RunKey| {
            self.runs
                .get(run)
                .is_some_and(|e| e.unfinished_claims >= UNFINISHED_CLAIMS_ALONE)
        };
        let mut runs: Vec<_> = due.into_iter().map(|(_, _, run)| run).collect();
        if runs.first().is_some_and(suspect) {
            runs.truncate(1);
        } else {
            runs.retain(|run| !suspect(run));
        }
        let max_runs = if request.max_events_per_run == 0 {
            0
        } else {
            request.max_runs
        };
        runs.truncate(max_runs as usize);
        // Histories bound bytes either not at all or below any second event.
        let mut limit = request.max_events_per_run;
        if request.max_bytes == 1 {
            runs.truncate(1);
            limit = 1;
        }
        runs.sort_unstable();
        let expires_at = now.saturating_add(request.lease);
        let lines: Vec<_> = runs
            .into_iter()
            .filter_map(|run| {
                let entry = self.runs.get_mut(&run)?;
                entry.claim_no += 1;
                entry.unfinished_claims += 1;
                entry.lease_until = Some(expires_at);
                entry.due = Some(expires_at);
                let cursor = entry.cursor;
                let pending = entry.log.iter().filter(|event| event.run_seq > cursor);
                let events: Vec<&RunEvent> = pending.take(limit as usize).collect();
                let last_seq = events.last()?.run_seq;
                let lease = (&run, entry.claim_no, expires_at, last_seq);
                Some(text((
                    lease,
                    entry.attempts,
                    entry.unfinished_claims,
                    events,
                )))
            })
            .collect();
        text(lines)
    }

    /// The claimed run, if the grant is still the run's lease.
    fn leased(&mut self, grant: &Grant) -> Result<&mut ModelRun, LeaseError> {
        let run = &grant.lease.run;
        let entry = self.runs.get_mut(run);
        let entry = entry.ok_or_else(|| LeaseError::RunNotFound { run: run.clone() })?;
        if entry.lease_until.is_none() || entry.claim_no != grant.lease.claim_no {
            return Err(LeaseError::StaleLease {
                run: run.clone(),
                delivered_seq: entry.cursor,
            });
        }
        Ok(entry)
    }

    fn leased_at(&mut self, grant: &Grant, seq: u64) -> Result<&mut ModelRun, LeaseError> {
        let run = grant.lease.run.clone();
        let entry = self.leased(grant)?;
        let (delivered_seq, last_seq) = (entry.cursor, grant.lease.last_seq.min(entry.head()));
        if seq <= delivered_seq || seq > last_seq {
            return Err(LeaseError::SeqOutOfRange {
                run,
                seq,
                delivered_seq,
                last_seq,
            });
        }
        Ok(entry)
    }

    pub(super) fn extend(&mut self, grants: &[Grant], by: Duration) -> String {
        let now = self.now;
        let until = now.saturating_add(by);
        let replies: Vec<_> = grants
            .iter()
            .map(|grant| {
                let run = grant.lease.run.clone();
                text(self.leased(grant).and_then(|entry| {
                    if entry.lease_until <= Some(now) {
                        let delivered_seq = entry.cursor;
                        return Err(LeaseError::StaleLease { run, delivered_seq });
                    }
                    entry.lease_until = Some(until);
                    entry.due = Some(until);
                    Ok((run, entry.claim_no, until, grant.lease.last_seq))
                }))
            })
            .collect();
        text(replies)
    }

    pub(super) fn mark_delivered(&mut self, marks: &[(Grant, u64)]) -> String {
        let at = self.now;
        let replies: Vec<_> = marks
            .iter()
            .map(|(grant, through)| {
                self.leased_at(grant, *through).map(|entry| {
                    entry.move_cursor(*through);
                    entry.give_back(at);
                })
            })
            .collect();
        text(Ok::<_, OutboxError>(replies))
    }

    pub(super) fn release(&mut self, grants: &[Grant]) -> String {
        let at = self.now;
        let replies: Vec<_> = grants
            .iter()
            .map(|grant| self.leased(grant).map(|e| e.give_back(at)))
            .collect();
        text(Ok::<_, OutboxError>(replies))
    }

    pub(super) fn mark_failed(
        &mut self,
        grant: &Grant,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError> {
        let now = self.now;
        let entry = self.leased_at(grant, seq)?;
        entry.move_cursor(seq - 1);
        entry.give_back(now);
        entry.attempts += 1;
        entry.last_error = Some(error.clone());
        if entry.attempts < policy.max_attempts() {
            let until = now.saturating_add(policy.ceiling(entry.attempts));
            entry.due = Some(until);
            return Ok(FailOutcome::BackingOff { until });
        }
        let cause = DeadLetterCause::AttemptsExhausted;
        let dead_letter_no = entry.bury(&grant.lease.run, cause, error.clone(), now);
        if policy.on_exhausted() == OnExhausted::Park {
            return Ok(FailOutcome::Parked { dead_letter_no });
        }
        if let Some(letter) = entry.dead.last_mut() {
            let note = OperatorNote::exhausted();
            letter.resolution = Some(Resolution {
                kind: ResolutionKind::Skipped,
                note,
                at: now,
            });
        }
        entry.move_cursor(seq);
        entry.give_back(now);
        Ok(FailOutcome::Skipped { dead_letter_no })
    }
}
