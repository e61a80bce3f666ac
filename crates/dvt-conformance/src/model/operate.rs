//! What the reference model tells about an outbox, and what operators do to it.

use dvt_contracts::{
    DeadLetter, DeadLetterCause, DeadLetterQuery, Destination, OperatorNote, OutboxError,
    OutboxStats, PendingQuery, PendingRun, PendingState, Resolution, ResolutionKind, Retarget,
    RunKey, SafeText,
};

use super::reference::{Model, ModelRun};
use super::text;

impl Model {
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
        let mut stats = OutboxStats {
            dead_letters: letters().count() as u64,
            skipped_events: letters().filter(|letter| letter.is_skipped()).count() as u64,
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
            .filter(|letter| !query.open_only || letter.is_open())
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
