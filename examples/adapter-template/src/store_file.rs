use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::file_error::FileError;
use crate::state::State;

/// The file: read whole at the start of an operation, replaced whole at its end.
#[derive(Debug, Clone)]
pub(crate) struct StoreFile {
    path: PathBuf,
    /// Locked during each operation. Not the file itself, which is another one after each change.
    lock_path: PathBuf,
    /// Where the next content is written. One is enough: only the holder of the lock writes.
    next_path: PathBuf,
    sync: bool,
}

impl StoreFile {
    /// The store at this path; an empty one is made if there is no file.
    pub(crate) fn open(path: PathBuf, sync: bool) -> Result<Self, FileError> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let file = Self {
            lock_path: beside(".lock"),
            next_path: beside(".next"),
            path,
            sync,
        };
        let _lock = file.lock(File::lock)?;
        match fs::metadata(&file.path) {
            Ok(_) => file.load().map(drop)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                file.replace(&file.encode(&State::default())?)?;
            }
            Err(error) => return Err(FileError::before("could not look at", &file.path, &error)),
        }
        Ok(file)
    }

    /// The state at one moment.
    pub(crate) fn read(&self) -> Result<State, FileError> {
        let _lock = self.lock(File::lock_shared)?;
        Ok(self.load()?.1)
    }

    /// Changes the state, unless the change is refused: then nothing is written.
    pub(crate) fn change<T, E>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Result<Result<T, E>, FileError> {
        let _lock = self.lock(File::lock)?;
        let (before, mut state) = self.load()?;
        let reply = change(&mut state);
        if reply.is_ok() {
            // Equal states have equal texts, so nobody has to remember to tell that something changed.
            let after = self.encode(&state)?;
            if after == before {
                // A duplicate's reply is as durable as the first write's, whose writer may have died just here.
                self.sync_folder()?;
            } else {
                self.replace(&after)?;
            }
        }
        Ok(reply)
    }

    /// Waits for the lock, which ends when the file that this returns is dropped, or its process ends.
    fn lock(&self, wait: fn(&File) -> std::io::Result<()>) -> Result<File, FileError> {
        let path = &self.lock_path;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|error| FileError::before("could not open", path, &error))?;
        wait(&file).map_err(|error| FileError::before("could not lock", path, &error))?;
        Ok(file)
    }

    fn load(&self) -> Result<(Vec<u8>, State), FileError> {
        let bytes = fs::read(&self.path)
            .map_err(|error| FileError::before("could not read", &self.path, &error))?;
        let state: State = serde_json::from_slice(&bytes)
            .map_err(|fault| FileError::content(&self.path, &fault))?;
        state
            .check()
            .map_err(|fault| FileError::content(&self.path, &fault))?;
        Ok((bytes, state))
    }

    fn encode(&self, state: &State) -> Result<Vec<u8>, FileError> {
        serde_json::to_vec(state).map_err(|fault| FileError::Encoding(fault.into()))
    }

    /// Puts a new file in the old one's place. Whoever reads, at any time, finds the one or the other.
    fn replace(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.write_next(bytes)
            .map_err(|error| FileError::before("could not write", &self.next_path, &error))?;
        fs::rename(&self.next_path, &self.path)
            .map_err(|error| FileError::after("could not replace", &self.path, &error))?;
        self.sync_folder()
    }

    fn write_next(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut next = File::create(&self.next_path)?;
        next.write_all(bytes)?;
        if self.sync { next.sync_all() } else { Ok(()) }
    }

    /// Makes the last rename last.
    fn sync_folder(&self) -> Result<(), FileError> {
        // Elsewhere a folder cannot be opened as a file.
        if !self.sync || !cfg!(unix) {
            return Ok(());
        }
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| FileError::after("could not sync", folder, &error))
    }
}
