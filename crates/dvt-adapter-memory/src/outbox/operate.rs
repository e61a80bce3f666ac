//! What an operator does: park, retry, skip.

use dvt_contracts::{
    DeadLetter, DeadLetterCause, OperatorNote, OutboxError, Resolution, ResolutionKind, RunKey,
    Timestamp,
};

use crate::run::Run;
use crate::state::State;

impl State {
    pub(super) fn park(
        &mut self,
        key: &RunKey,
        note: &OperatorNote,
        now: Timestamp,
    ) -> Result<DeadLetter, OutboxError> {
        let run = self.outbox_run(key)?;
        if let Some(letter) = run.open_dead_letter() {
            return Ok(letter.clone());
        }
        if !run.is_pending() {
            return Err(OutboxError::NothingPending {
                run: key.clone(),
                head: run.head,
            });
        }
        run.end_lease();
        let error = note.to_string();
        run.bury(
            key,
            DeadLetterCause::ParkedByOperator,
            error.as_str().into(),
            now,
        );
        let letter = run.open_dead_letter().cloned();
        self.schedule(key, None);
        letter.ok_or_else(|| {
            OutboxError::bug("park_run", "the dead letter just written is not there")
        })
    }

    pub(super) fn resolve(
        &mut self,
        key: &RunKey,
        dead_letter_no: u64,
        kind: ResolutionKind,
        note: &OperatorNote,
        now: Timestamp,
    ) -> Result<DeadLetter, OutboxError> {
        let run = self.outbox_run(key)?;
        let letter = usize::try_from(dead_letter_no)
            .ok()
            .and_then(|number| run.dead_letters.get_mut(number.checked_sub(1)?))
            .ok_or_else(|| OutboxError::DeadLetterNotFound {
                run: key.clone(),
                dead_letter_no,
            })?;
        match &letter.resolution {
            Some(resolution) if resolution.kind == kind => return Ok(letter.clone()),
            Some(resolution) => {
                return Err(OutboxError::DeadLetterResolved {
                    run: key.clone(),
                    dead_letter_no,
                    resolved: resolution.kind,
                });
            }
            None => {}
        }
        letter.resolution = Some(Resolution {
            kind,
            note: note.clone(),
            at: now,
        });
        let letter = letter.clone();
        if kind == ResolutionKind::Skipped {
            run.deliver_through(letter.run_seq);
        }
        run.attempts = 0;
        run.last_error = None;
        self.reschedule(key, now);
        Ok(letter)
    }

    fn outbox_run(&mut self, key: &RunKey) -> Result<&mut Run, OutboxError> {
        self.runs
            .get_mut(key)
            .ok_or_else(|| OutboxError::RunNotFound { run: key.clone() })
    }
}
