use dvt_contracts::OperatorNote;
use serde::{Deserialize, Serialize};

/// An [`OperatorNote`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NoteRow {
    by: String,
    reason: String,
}

impl From<&OperatorNote> for NoteRow {
    fn from(note: &OperatorNote) -> Self {
        Self {
            by: note.by.as_str().to_owned(),
            reason: note.reason.as_str().to_owned(),
        }
    }
}

impl From<&NoteRow> for OperatorNote {
    fn from(row: &NoteRow) -> Self {
        Self::new(&row.by, &row.reason)
    }
}
