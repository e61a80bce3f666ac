use std::path::PathBuf;
use std::time::Duration;

use dvt_contracts::{ErrorClass, OutboxError, StoreError};

/// What went wrong below the ports, in precise words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("there is no file {}: check the path, or record something into it first", .file.display())]
    Missing { file: PathBuf },
    #[error("{} is not a store of DVT, {found}: name another file", .file.display())]
    Foreign { file: PathBuf, found: String },
    #[error("{} was made by a newer version, with migration {version}: use that version, nothing was changed", .file.display())]
    Newer { file: PathBuf, version: i64 },
    #[error("migration {version} of {} is not the one that this version knows: it was made by another build, nothing was changed", .file.display())]
    Edited { file: PathBuf, version: i64 },
    #[error("{} was made by an older version and is read before anything was written with this one: any write brings it up to date", .file.display())]
    Outdated { file: PathBuf },
    #[error(
        "{} is in a folder of the network ({kind}), where SQLite cannot share a file safely: put it on a disk of this machine, \
         or use PostgreSQL", .file.display()
    )]
    NetworkFolder { file: PathBuf, kind: &'static str },
    #[error("cannot look at {}", .file.display())]
    Unseen {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "cannot open {}: the folder must be there, and this user must be able to write to the file and the folder", .file.display()
    )]
    Unopened { file: PathBuf, source: sqlx::Error },
    #[error("the file or its folder is read-only: let this user write there")]
    ReadOnly(#[source] sqlx::Error),
    #[error("the disk is full, and nothing was written: make room and try again")]
    Full(#[source] sqlx::Error),
    #[error("others kept the file busy")]
    Busy(#[source] sqlx::Error),
    #[error("no turn to use the file came within {after:?}")]
    NoTurn { after: Duration },
    #[error(
        "the file is damaged: put a backup in its place, or save what can be read with dvt export or sqlite3's .recover"
    )]
    Damaged(#[source] sqlx::Error),
    #[error("the disk failed")]
    Disk {
        /// Whether something may have been written all the same.
        written: bool,
        source: sqlx::Error,
    },
    #[error("the store was closed")]
    Closed,
    #[error("the statement was wrong")]
    Wrong(#[source] sqlx::Error),
    #[error("a stored value breaks its rule: {0}")]
    Corrupt(String),
}

/// Primary result codes (<https://sqlite.org/rescode.html>).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

impl Fault {
    /// What an error of a statement means that has left nothing behind.
    pub(crate) fn of(error: sqlx::Error) -> Self {
        match result_code(&error) {
            Some(code::BUSY | code::LOCKED) => Self::Busy(error),
            // Its folder or side files, once it is open.
            Some(code::READONLY | code::CANTOPEN) => Self::ReadOnly(error),
            Some(code::FULL) => Self::Full(error),
            Some(code::CORRUPT | code::NOTADB) => Self::Damaged(error),
            Some(code::IOERR) => Self::Disk {
                written: false,
                source: error,
            },
            _ if matches!(error, sqlx::Error::WorkerCrashed | sqlx::Error::Io(_)) => Self::Disk {
                written: false,
                source: error,
            },
            _ => Self::Wrong(error),
        }
    }

    /// The same of a statement that ends a write.
    pub(crate) fn of_commit(error: sqlx::Error) -> Self {
        match Self::of(error) {
            Self::Disk { source, .. } => Self::Disk {
                written: true,
                source,
            },
            fault => fault,
        }
    }

    /// The same of opening the file.
    pub(crate) fn of_opening(file: PathBuf, error: sqlx::Error) -> Self {
        match result_code(&error) {
            Some(code::NOTADB) => Self::Foreign {
                file,
                found: "it is no database of SQLite".to_owned(),
            },
            Some(code::CANTOPEN | code::READONLY) => Self::Unopened {
                file,
                source: error,
            },
            _ => Self::of(error),
        }
    }

    /// A stored value that no statement of this crate writes.
    pub(crate) fn corrupt(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{what}: {error}"))
    }

    /// What a caller should do.
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Edited { .. }
            | Self::Outdated { .. }
            | Self::NetworkFolder { .. }
            | Self::Unseen { .. }
            | Self::Unopened { .. }
            | Self::ReadOnly(_)
            | Self::Damaged(_)
            | Self::Closed => ErrorClass::Caller,
            Self::Full(_)
            | Self::Busy(_)
            | Self::NoTurn { .. }
            | Self::Disk { written: false, .. } => ErrorClass::Transient,
            Self::Disk { written: true, .. } => ErrorClass::Unknown,
            Self::Wrong(_) | Self::Corrupt(_) => ErrorClass::Bug,
        }
    }

    pub(crate) fn store(self, operation: &'static str) -> StoreError {
        match self.class() {
            ErrorClass::Transient => StoreError::transient(operation, self),
            ErrorClass::Unknown => StoreError::unknown(operation, self),
            ErrorClass::Bug => StoreError::bug(operation, self),
            _ => StoreError::refused(operation, self),
        }
    }

    pub(crate) fn outbox(self, operation: &'static str) -> OutboxError {
        match self.class() {
            ErrorClass::Transient => OutboxError::transient(operation, self),
            ErrorClass::Unknown => OutboxError::unknown(operation, self),
            ErrorClass::Bug => OutboxError::bug(operation, self),
            _ => OutboxError::refused(operation, self),
        }
    }
}

/// SQLite's primary result code.
fn result_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    Some(code.parse::<i32>().ok()? & 0xff)
}
