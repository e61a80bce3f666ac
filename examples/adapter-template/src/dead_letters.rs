//! Dead letters: how an event becomes one, and how an operator ends it.

use dvt_contracts::{
    DeadLetter, DeadLetterCause, OperatorNote, OutboxError, ResolutionKind, SafeText, Timestamp,
};

use crate::row::{DeadLetterRow, ResolutionRow};
use crate::run::Run;

impl Run {
    /// The run's dead letters in full, in the order of their numbers.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = DeadLetter> {
        (1..)
            .zip(&self.dead_letters)
            .map(|(no, row)| row.full(&self.key, no))
    }

    /// The dead letter that parks the run, and its number.
    pub(crate) fn open_letter(&self) -> Option<(u64, &DeadLetterRow)> {
        let last = self.dead_letters.last()?;
        let open = last.resolution.is_none();
        open.then_some((self.dead_letters.len() as u64, last))
    }

    /// Makes the event after the cursor a dead letter, which parks the run, and tells its number.
    pub(crate) fn bury(&mut self, cause: DeadLetterCause, error: &SafeText, now: Timestamp) -> u64 {
        self.cursor.due_at = None;
        self.dead_letters.push(DeadLetterRow {
            run_seq: self.cursor.delivered_seq + 1,
            attempts: self.cursor.attempts,
            cause,
            error: error.as_str().to_owned(),
            dead_at: now,
            resolution: None,
        });
        self.dead_letters.len() as u64
    }

    /// Ends the open dead letter, and the run goes on: with its event, or after it.
    pub(crate) fn resolve(&mut self, kind: ResolutionKind, note: &OperatorNote, now: Timestamp) {
        let Some(letter) = self.dead_letters.last_mut() else {
            return;
        };
        letter.resolution = Some(ResolutionRow {
            kind,
            note: note.into(),
            at: now,
        });
        match kind {
            ResolutionKind::Retried => self.cursor.forget_failures(),
            ResolutionKind::Skipped => {
                let seq = letter.run_seq;
                self.cursor.move_to(seq);
            }
        }
        self.go_on(now);
    }

    /// Retries or skips this dead letter, once.
    pub(crate) fn resolve_letter(
        &mut self,
        dead_letter_no: u64,
        kind: ResolutionKind,
        note: &OperatorNote,
        now: Timestamp,
    ) -> Result<DeadLetter, OutboxError> {
        let found = self.letter(dead_letter_no)?;
        match found.resolution {
            None => {
                self.resolve(kind, note, now);
                self.letter(dead_letter_no)
            }
            Some(resolution) if resolution.kind == kind => self.letter(dead_letter_no),
            Some(resolution) => Err(OutboxError::DeadLetterResolved {
                run: self.key.clone(),
                dead_letter_no,
                resolved: resolution.kind,
            }),
        }
    }

    /// Parks the run by hand; if it is parked, tells by which dead letter.
    pub(crate) fn park(
        &mut self,
        note: &OperatorNote,
        now: Timestamp,
    ) -> Result<DeadLetter, OutboxError> {
        if let Some((dead_letter_no, _)) = self.open_letter() {
            return self.letter(dead_letter_no);
        }
        if !self.has_pending() {
            return Err(OutboxError::NothingPending {
                run: self.key.clone(),
                head: self.head(),
            });
        }
        self.cursor.finish_claim();
        let error = SafeText::new(note.to_string());
        let dead_letter_no = self.bury(DeadLetterCause::ParkedByOperator, &error, now);
        self.letter(dead_letter_no)
    }

    fn letter(&self, dead_letter_no: u64) -> Result<DeadLetter, OutboxError> {
        self.dead_letters()
            .find(|letter| letter.dead_letter_no == dead_letter_no)
            .ok_or_else(|| OutboxError::DeadLetterNotFound {
                run: self.key.clone(),
                dead_letter_no,
            })
    }
}
