use dvt_contracts::Checkpoint;
use serde::{Deserialize, Serialize};

/// A [`Checkpoint`], good or bad.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CheckpointRow {
    pub(crate) run_seq: u64,
    fold_version: u32,
    checksum: String,
    state: String,
}

impl From<Checkpoint> for CheckpointRow {
    fn from(checkpoint: Checkpoint) -> Self {
        let Checkpoint {
            run_seq,
            fold_version,
            checksum,
            state,
        } = checkpoint;
        Self {
            run_seq,
            fold_version,
            checksum,
            state,
        }
    }
}

impl From<CheckpointRow> for Checkpoint {
    fn from(row: CheckpointRow) -> Self {
        let CheckpointRow {
            run_seq,
            fold_version,
            checksum,
            state,
        } = row;
        Self {
            run_seq,
            fold_version,
            checksum,
            state,
        }
    }
}
