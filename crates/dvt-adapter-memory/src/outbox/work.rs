//! What a relay does: claim, then end the lease in one of three ways.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use dvt_contracts::{
    Acknowledgement, ClaimRequest, ClaimedRun, DeadLetter, DeadLetterCause, FailOutcome, Lease,
    LeaseError, LeaseToken, MAX_CLAIM, OnExhausted, OperatorNote, Resolution, ResolutionKind,
    RetryPolicy, RunEvent, RunKey, SafeText, Timestamp, UNFINISHED_CLAIMS_ALONE,
};

use crate::run::Run;
use crate::state::State;

impl State {
    pub(super) fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Vec<ClaimedRun> {
        if request.max_events_per_run == 0 {
            return Vec::new();
        }
        let expires_at = now.saturating_add(request.lease);
        let mut budget = Budget {
            left: request.max_bytes,
            spent: false,
            over: false,
        };
        let mut claimed = Vec::new();
        for key in self.runs_to_claim(request.max_runs, now) {
            let Some(run) = self.runs.get_mut(&key) else {
                continue;
            };
            let events = budget.take(
                run.events_after(run.delivered_seq),
                request.max_events_per_run,
            );
            let Some(last_seq) = events.last().map(|event| event.run_seq) else {
                break;
            };
            run.claim_no += 1;
            run.unfinished_claims = run.unfinished_claims.saturating_add(1);
            let token = LeaseToken::generate();
            run.lease = Some((token, expires_at));
            claimed.push(ClaimedRun {
                attempts: run.attempts,
                unfinished_claims: run.unfinished_claims,
                events,
                lease: Lease {
                    run: key.clone(),
                    claim_no: run.claim_no,
                    token,
                    expires_at,
                    last_seq,
                },
            });
            self.schedule(&key, Some(expires_at));
            if budget.over {
                break;
            }
        }
        claimed
    }

    /// The runs that are due longest. One that was claimed again and again and never finished goes alone, so that
    /// whatever it does to a relay takes no other run down with it.
    fn runs_to_claim(&self, max_runs: u32, now: Timestamp) -> Vec<RunKey> {
        let suspect = |run: &Run| run.unfinished_claims >= UNFINISHED_CLAIMS_ALONE;
        let limit = match self.due(now).next() {
            Some((_, first)) if suspect(first) => max_runs.min(1),
            _ => max_runs.min(MAX_CLAIM),
        };
        self.due(now)
            .enumerate()
            .filter(|(index, (_, run))| *index == 0 || !suspect(run))
            .map(|(_, (key, _))| key.clone())
            .take(limit as usize)
            .collect()
    }

    fn leased(&mut self, lease: &Lease) -> Result<&mut Run, LeaseError> {
        let run = self
            .runs
            .get_mut(&lease.run)
            .ok_or_else(|| LeaseError::RunNotFound {
                run: lease.run.clone(),
            })?;
        run.check_lease(lease)?;
        Ok(run)
    }

    pub(super) fn extend(
        &mut self,
        lease: &Lease,
        by: Duration,
        now: Timestamp,
    ) -> Result<Lease, LeaseError> {
        let expires_at = now.saturating_add(by);
        let run = self.leased(lease)?;
        match &mut run.lease {
            Some((_, until)) if *until > now => *until = expires_at,
            _ => return Err(run.stale(&lease.run)),
        }
        let extended = Lease {
            claim_no: run.claim_no,
            expires_at,
            ..lease.clone()
        };
        self.schedule(&lease.run, Some(expires_at));
        Ok(extended)
    }

    pub(super) fn acknowledge(
        &mut self,
        done: &Acknowledgement,
        now: Timestamp,
    ) -> Result<(), LeaseError> {
        let run = self.leased(&done.lease)?;
        run.check_seq(&done.lease, done.through)?;
        run.deliver_through(done.through);
        run.end_lease();
        self.reschedule(&done.lease.run, now);
        Ok(())
    }

    pub(super) fn release(&mut self, lease: &Lease, now: Timestamp) -> Result<(), LeaseError> {
        self.leased(lease)?.end_lease();
        self.reschedule(&lease.run, now);
        Ok(())
    }

    pub(super) fn fail(
        &mut self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
        now: Timestamp,
    ) -> Result<FailOutcome, LeaseError> {
        let run = self.leased(lease)?;
        run.check_seq(lease, seq)?;
        run.deliver_through(seq - 1);
        run.end_lease();
        run.attempts = run.attempts.saturating_add(1);
        run.last_error = Some(error.clone());
        if run.attempts < policy.max_attempts() {
            let until = now.saturating_add(policy.delay(run.attempts, entropy(lease)));
            self.schedule(&lease.run, Some(until));
            return Ok(FailOutcome::BackingOff { until });
        }
        let dead_letter_no = run.bury(
            &lease.run,
            DeadLetterCause::AttemptsExhausted,
            error.clone(),
            now,
        );
        if policy.on_exhausted() == OnExhausted::Park {
            self.schedule(&lease.run, None);
            return Ok(FailOutcome::Parked { dead_letter_no });
        }
        if let Some(letter) = run.dead_letters.last_mut() {
            let note = OperatorNote::exhausted();
            letter.resolution = Some(Resolution {
                kind: ResolutionKind::Skipped,
                note,
                at: now,
            });
        }
        run.deliver_through(seq);
        self.reschedule(&lease.run, now);
        Ok(FailOutcome::Skipped { dead_letter_no })
    }

    /// Due at once if events are left, else not at all.
    pub(super) fn reschedule(&mut self, key: &RunKey, now: Timestamp) {
        let pending = self.runs.get(key).is_some_and(Run::is_pending);
        self.schedule(key, pending.then_some(now));
    }
}

impl Run {
    /// Writes a dead letter for the event after the cursor and returns its number.
    pub(super) fn bury(
        &mut self,
        key: &RunKey,
        cause: DeadLetterCause,
        error: SafeText,
        now: Timestamp,
    ) -> u64 {
        let dead_letter_no = self.dead_letters.len() as u64 + 1;
        self.dead_letters.push(DeadLetter {
            run: key.clone(),
            dead_letter_no,
            run_seq: self.delivered_seq + 1,
            attempts: self.attempts,
            cause,
            error,
            dead_at: now,
            resolution: None,
        });
        dead_letter_no
    }
}

/// What is left of a claim's byte bound.
struct Budget {
    left: u64,
    /// Whether the claim has an event, so that the next one must fit.
    spent: bool,
    /// Whether an event did not fit: then the claim is over.
    over: bool,
}

impl Budget {
    fn take(&mut self, events: &[RunEvent], max_events: u32) -> Vec<RunEvent> {
        let mut taken = Vec::new();
        for event in events.iter().take(max_events.min(MAX_CLAIM) as usize) {
            let size = event.event.payload().size() as u64;
            if self.spent && size > self.left {
                self.over = true;
                break;
            }
            self.left = self.left.saturating_sub(size);
            self.spent = true;
            taken.push(event.clone());
        }
        taken
    }
}

/// Spread for back-off: another for each run and claim, the same when a simulation is repeated. Nothing secret hangs on it.
fn entropy(lease: &Lease) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&lease.run, lease.claim_no).hash(&mut hasher);
    hasher.finish()
}
