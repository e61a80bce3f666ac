use std::path::PathBuf;

use dvt_contracts::{StoreError, Timestamp};

use crate::clock::Clock;
use crate::file_error::PortError;
use crate::state::State;
use crate::store_file::StoreFile;

/// A handle on a store that lives in one file. Handles and processes share it; clones are handles too.
#[derive(Debug, Clone)]
pub struct FileStore {
    file: StoreFile,
    clock: Clock,
}

impl FileStore {
    /// Opens the store at this path, or makes an empty one. What it acknowledges is on the disk.
    ///
    /// # Errors
    /// `Transient` if the folder is missing or the file cannot be read or written; `Refused` if it is no file of this store,
    /// or a damaged one, which is left as it is.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_file(path.into(), true)
    }

    /// The same without waiting for the disk: what it acknowledges outlives the process, but not the machine. For tests.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_relaxed(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_file(path.into(), false)
    }

    /// The same handle with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    fn open_file(path: PathBuf, sync: bool) -> Result<Self, StoreError> {
        let file = StoreFile::open(path, sync).map_err(|error| StoreError::fold("open", error))?;
        Ok(Self {
            file,
            clock: Clock::default(),
        })
    }

    // The next two block the calling thread, inside async methods, and no method of this store ever awaits. A future that
    // never awaits is done when it is first polled, so nobody can drop it half way. That is right for a toy. An adapter
    // that does await must say what happens to a call whose future is dropped there (the suite drops them everywhere),
    // and one that blocks for long belongs on threads of its own.

    /// Looks at the state of one moment.
    pub(crate) fn read<T, E: PortError>(
        &self,
        operation: &'static str,
        look: impl FnOnce(&State, Timestamp) -> Result<T, E>,
    ) -> Result<T, E> {
        let state = self
            .file
            .read()
            .map_err(|error| E::fold(operation, error))?;
        look(&state, self.clock.now())
    }

    /// Changes the state, all or nothing: an error writes nothing.
    pub(crate) fn change<T, E: PortError>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut State, Timestamp) -> Result<T, E>,
    ) -> Result<T, E> {
        // The clock is read under the lock: what is written later has a later time.
        self.file
            .change(|state| change(state, self.clock.now()))
            .map_err(|error| E::fold(operation, error))?
    }
}
