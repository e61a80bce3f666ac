use sha2::{Digest, Sha256};

use crate::idempotency_key::lower_hex;
use crate::invalid_call::InvalidCall;
use crate::limits::MAX_CHECKPOINT_BYTES;
use crate::run_state::RunState;

/// The version of the fold. It rises whenever [`RunState`] would fold a log differently or is
/// written differently; checkpoints of another version are ignored.
pub const FOLD_VERSION: u32 = 1;

/// Whoever had to fold this many events or more to load a state saves a checkpoint.
///
/// It is as many as a page of events has at most. So the next reader asks for the checkpoint and for one page (more only if the
/// payloads are large). Saving more often would spare nobody a page, and would write a whole state, which grows with the steps
/// of its run, for a few events.
pub const CHECKPOINT_EVERY: u64 = 1_000;

/// A stored fold of a run's log, so that reading a long run need not begin at its first event.
///
/// A checkpoint is a cache: deleting all of them changes no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event folded in.
    pub run_seq: u64,
    /// The [`FOLD_VERSION`] that it was made with.
    pub fold_version: u32,
    /// Lower-case hex SHA-256 over `run_seq|fold_version|state`.
    pub checksum: String,
    /// The state as JSON text, kept byte for byte.
    pub state: String,
}

/// What became of a checkpoint that was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveOutcome {
    /// It is the stored one now.
    Saved,
    /// The store holds one of a later event, which stays.
    Superseded {
        /// The `run_seq` of the one that stays.
        stored: u64,
    },
}

impl Checkpoint {
    /// The checkpoint of a state.
    #[must_use]
    pub fn of(state: &RunState) -> Self {
        // Steps are keyed by text and every value is plain data: writing them cannot fail.
        let json = serde_json::to_string(state).unwrap_or_default();
        Self::sealed(state.last_seq(), FOLD_VERSION, json)
    }

    /// A checkpoint of the given parts with a checksum that fits them.
    #[must_use]
    pub fn sealed(run_seq: u64, fold_version: u32, state: String) -> Self {
        let checksum = checksum(run_seq, fold_version, &state);
        Self {
            run_seq,
            fold_version,
            checksum,
            state,
        }
    }

    /// The check that every adapter makes before anything else in `save_checkpoint`.
    ///
    /// # Errors
    /// [`InvalidCall`] if a text has a NUL, which some stores cannot hold, or all has more than
    /// [`MAX_CHECKPOINT_BYTES`].
    pub fn check_call(&self) -> Result<(), InvalidCall> {
        let found = self.checksum.len() + self.state.len();
        if found > MAX_CHECKPOINT_BYTES {
            return Err(InvalidCall::CheckpointTooLarge { found });
        }
        if self.checksum.contains('\0') || self.state.contains('\0') {
            return Err(InvalidCall::CheckpointWithNul {
                run_seq: self.run_seq,
            });
        }
        Ok(())
    }

    /// The state, if this checkpoint can be trusted for a log with this head: it has the current fold
    /// version and a good checksum, and does not lie beyond the head.
    #[must_use]
    pub fn restore(&self, head: u64) -> Option<RunState> {
        let trusted = self.run_seq <= head
            && self.fold_version == FOLD_VERSION
            && self.checksum == checksum(self.run_seq, self.fold_version, &self.state);
        if !trusted {
            return None;
        }
        serde_json::from_str::<RunState>(&self.state)
            .ok()
            .filter(|state| state.last_seq() == self.run_seq)
    }
}

fn checksum(run_seq: u64, fold_version: u32, state: &str) -> String {
    lower_hex(&Sha256::digest(format!("{run_seq}|{fold_version}|{state}")))
}
