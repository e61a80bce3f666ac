use dvt_contracts::{Destination, Retarget, Timestamp};
use serde::{Deserialize, Serialize};

use super::NoteRow;

/// A [`Retarget`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RetargetRow {
    pub(crate) from: Destination,
    pub(crate) to: Destination,
    pub(crate) note: NoteRow,
    pub(crate) at: Timestamp,
}

impl From<&RetargetRow> for Retarget {
    fn from(row: &RetargetRow) -> Self {
        Self {
            from: row.from.clone(),
            to: row.to.clone(),
            note: (&row.note).into(),
            at: row.at,
        }
    }
}
