use dvt_contracts::{
    DeadLetter, DeadLetterCause, Resolution, ResolutionKind, RunKey, SafeText, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::NoteRow;

/// A [`DeadLetter`] without its run and number, which its place tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeadLetterRow {
    pub(crate) run_seq: u64,
    pub(crate) attempts: u32,
    #[serde(with = "CauseRow")]
    pub(crate) cause: DeadLetterCause,
    pub(crate) error: String,
    pub(crate) dead_at: Timestamp,
    pub(crate) resolution: Option<ResolutionRow>,
}

/// A [`Resolution`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ResolutionRow {
    #[serde(with = "KindRow")]
    pub(crate) kind: ResolutionKind,
    pub(crate) note: NoteRow,
    pub(crate) at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DeadLetterCause")]
enum CauseRow {
    AttemptsExhausted,
    ParkedByOperator,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ResolutionKind")]
enum KindRow {
    Retried,
    Skipped,
}

impl DeadLetterRow {
    /// Whether its event was given up for good.
    pub(crate) fn is_skipped(&self) -> bool {
        let end = self.resolution.as_ref();
        end.is_some_and(|end| end.kind == ResolutionKind::Skipped)
    }

    pub(crate) fn full(&self, run: &RunKey, dead_letter_no: u64) -> DeadLetter {
        DeadLetter {
            run: run.clone(),
            dead_letter_no,
            run_seq: self.run_seq,
            attempts: self.attempts,
            cause: self.cause,
            error: SafeText::new(&self.error),
            dead_at: self.dead_at,
            resolution: self.resolution.as_ref().map(|row| Resolution {
                kind: row.kind,
                note: (&row.note).into(),
                at: row.at,
            }),
        }
    }
}
