//! The outbox half of the reference model.

use std::fmt::Debug;
use std::time::Duration;

use dvt_contracts::{
    ClaimRequest, DeadLetter, DeadLetterCause, DeadLetterQuery, Destination, FailOutcome,
    LeaseError, OnExhausted, OperatorNote, OutboxError, OutboxStats, PendingQuery, PendingRun,
    PendingState, Resolution, ResolutionKind, Retarget, RetryPolicy, RunEvent, RunKey, SafeText,
    Timestamp, UNFINISHED_CLAIMS_ALONE,
};

use super::call::Grant;
use super::reference::{Model, ModelRun};

fn text<T: Debug>(value: T) -> String {
    format!("{value:?}")
}

impl ModelRun {
    fn is_pending(&self) -> bool {
        self.cursor < self.head()
    }

    fn open_dead(&self) -> Option<&DeadLetter> {
        self.dead.iter().find(|letter| letter.resolution.is_none())
    }

    /// An append makes the run due unless it waits for something else.
    pub(super) fn make_due(&mut self, at: Timestamp) {
        if self.is_pending() && self.due.is_none() && self.open_dead().is_none() {
            self.due = Some(at);
        }
    }

    /// The end of a lease: due at once if anything is left.
    fn give_back(&mut self, at: Timestamp) {
        self.lease_until = None;
        self.unfinished_claims = 0;
        self.due = self.is_pending().then_some(at);
    }

    fn move_cursor(&mut self, through: u64) {
        if through > self.cursor {
            self.cursor = through;
            self.attempts = 0;
            self.last_error = None;
        }
    }

    fn bury(
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

    pub(super) fn list_pending(&self, query: &PendingQuery) -> String {
        let page: Vec<_> = self
            .runs
            .iter()
            .filter(|(run, _)| {
                query
                    .tenant_id
                    .as_ref()
                    .is_none_or(|id| *id == run.tenant_id)
            })
            .filter(|(run, _)| query.after.as_ref().is_none_or(|after| *run > after))
            .filter(|(run, _)| query.run.as_ref().is_none_or(|only| only == *run))
            .filter_map(|(run, entry)| self.pending(run, entry))
            .take(query.limit as usize)
            .collect();
        text(Ok::<_, OutboxError>(page))
    }

    fn pending(&self, run: &RunKey, entry: &ModelRun) -> Option<PendingRun> {
        let oldest = entry
            .log
            .iter()
            .find(|event| event.run_seq > entry.cursor)?;
        let state = if let Some(letter) = entry.open_dead() {
            let (since, dead_letter_no) = (letter.dead_at, letter.dead_letter_no);
            PendingState::Parked {
                since,
                dead_letter_no,
            }
        } else {
            match (entry.lease_until, entry.due) {
                (Some(until), _) if until > self.now => PendingState::Leased { until },
                (_, Some(until)) if until > self.now => PendingState::BackingOff { until },
                _ => PendingState::Due,
            }
        };
        Some(PendingRun {
            run: run.clone(),
            delivered_seq: entry.cursor,
            last_seq: entry.head(),
            pending_since: oldest.persisted_at,
            state,
            attempts: entry.attempts,
            unfinished_claims: entry.unfinished_claims,
            claim_no: entry.claim_no,
            last_error: entry.last_error.clone(),
        })
    }

    pub(super) fn stats(&self) -> String {
        let letters = || self.runs.values().flat_map(|entry| &entry.dead);
        let skipped = |letter: &&DeadLetter| {
            letter
                .resolution
                .as_ref()
                .is_some_and(|end| end.kind == ResolutionKind::Skipped)
        };
        let mut stats = OutboxStats {
            dead_letters: letters().count() as u64,
            skipped_events: letters().filter(skipped).count() as u64,
            destination: self.destination.clone(),
            last_retarget: self.last_retarget.clone(),
            ..Default::default()
        };
        for pending in self
            .runs
            .iter()
            .filter_map(|(run, entry)| self.pending(run, entry))
        {
            let parked = matches!(pending.state, PendingState::Parked { .. });
            stats.due_runs += u64::from(pending.state == PendingState::Due);
            stats.leased_runs += u64::from(matches!(pending.state, PendingState::Leased { .. }));
            stats.backing_off_runs +=
                u64::from(matches!(pending.state, PendingState::BackingOff { .. }));
            stats.parked_runs += u64::from(parked);
            stats.pending_events += pending.last_seq - pending.delivered_seq - u64::from(parked);
            let age = self.now.saturating_since(pending.pending_since);
            stats.oldest_pending_age = stats.oldest_pending_age.max(Some(age));
        }
        text(Ok::<_, OutboxError>(stats))
    }

    pub(super) fn list_dead_letters(&self, query: &DeadLetterQuery) -> String {
        let page: Vec<_> = self
            .runs
            .values()
            .flat_map(|entry| &entry.dead)
            .filter(|d| {
                query
                    .tenant_id
                    .as_ref()
                    .is_none_or(|id| *id == d.run.tenant_id)
            })
            .filter(|letter| !query.open_only || letter.resolution.is_none())
            .filter(|d| {
                let place = (d.run.clone(), d.dead_letter_no);
                query.after.as_ref().is_none_or(|after| place > *after)
            })
            .take(query.limit as usize)
            .collect();
        text(Ok::<_, OutboxError>(page))
    }

    pub(super) fn resolve(
        &mut self,
        run: &RunKey,
        dead_letter_no: u64,
        kind: ResolutionKind,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let now = self.now;
        let Some(entry) = self.runs.get_mut(run) else {
            return Err(OutboxError::RunNotFound { run: run.clone() });
        };
        let letter = entry
            .dead
            .iter_mut()
            .find(|letter| letter.dead_letter_no == dead_letter_no);
        let Some(letter) = letter else {
            return Err(OutboxError::DeadLetterNotFound {
                run: run.clone(),
                dead_letter_no,
            });
        };
        if let Some(resolution) = &letter.resolution {
            if resolution.kind == kind {
                return Ok(letter.clone());
            }
            let (run, resolved) = (run.clone(), resolution.kind);
            return Err(OutboxError::DeadLetterResolved {
                run,
                dead_letter_no,
                resolved,
            });
        }
        letter.resolution = Some(Resolution {
            kind,
            note: note.clone(),
            at: now,
        });
        let letter = letter.clone();
        entry.attempts = 0;
        entry.last_error = None;
        if kind == ResolutionKind::Skipped {
            entry.move_cursor(letter.run_seq);
        }
        entry.give_back(now);
        Ok(letter)
    }

    pub(super) fn park(
        &mut self,
        run: &RunKey,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError> {
        let now = self.now;
        let Some(entry) = self.runs.get_mut(run) else {
            return Err(OutboxError::RunNotFound { run: run.clone() });
        };
        if entry.open_dead().is_none() {
            if !entry.is_pending() {
                let (run, head) = (run.clone(), entry.head());
                return Err(OutboxError::NothingPending { run, head });
            }
            entry.lease_until = None;
            entry.unfinished_claims = 0;
            let error = SafeText::new(note.to_string());
            entry.bury(run, DeadLetterCause::ParkedByOperator, error, now);
        }
        let missing = || OutboxError::DeadLetterNotFound {
            run: run.clone(),
            dead_letter_no: 0,
        };
        entry.open_dead().cloned().ok_or_else(missing)
    }

    pub(super) fn bind(&mut self, requested: &Destination) -> Result<(), OutboxError> {
        let bound = self
            .destination
            .get_or_insert_with(|| requested.clone())
            .clone();
        if bound == *requested {
            return Ok(());
        }
        Err(OutboxError::DestinationMismatch {
            bound,
            requested: requested.clone(),
        })
    }

    pub(super) fn retarget(
        &mut self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError> {
        match self.destination.clone() {
            None => Err(OutboxError::NoDestination {
                requested: from.clone(),
            }),
            Some(bound) if bound == *to => Ok(()),
            Some(bound) if bound == *from => {
                self.destination = Some(to.clone());
                let (from, to, note) = (bound, to.clone(), note.clone());
                self.last_retarget = Some(Retarget {
                    from,
                    to,
                    note,
                    at: self.now,
                });
                Ok(())
            }
            Some(bound) => Err(OutboxError::DestinationMismatch {
                bound,
                requested: from.clone(),
            }),
        }
    }
}
