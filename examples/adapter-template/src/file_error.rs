use std::io::ErrorKind;
use std::path::Path;

use dvt_contracts::{BoxError, OutboxError, StoreError};

/// What can go wrong with the file, by what a caller should do about it.
#[derive(Debug)]
pub(crate) enum FileError {
    /// Before the new file took the old one's place: nothing happened.
    Before(BoxError),
    /// The same, and it stays so until an operator grants what is missing.
    Denied(BoxError),
    /// While it took its place, or after: it may have happened.
    After(BoxError),
    /// The content is not what this store writes. Nothing happened, and an operator can put a good file there.
    Content(BoxError),
    /// What this store made cannot be written. Nothing happened.
    Encoding(BoxError),
}

impl FileError {
    pub(crate) fn before(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let cause = sentence(doing, path, error);
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Denied(cause),
            _ => Self::Before(cause),
        }
    }

    pub(crate) fn after(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::After(sentence(doing, path, error))
    }

    pub(crate) fn content(path: &Path, fault: &dyn std::fmt::Display) -> Self {
        Self::Content(
            format!(
                "{} is no file of this store, of another version, or damaged; put a good one there: {fault}",
                path.display()
            )
            .into(),
        )
    }
}

fn sentence(doing: &str, path: &Path, error: &std::io::Error) -> BoxError {
    format!("{doing} {}: {error}", path.display()).into()
}

/// An error of a port. Both ports fold the adapter's own errors in at this one place.
pub(crate) trait PortError {
    /// The error of the port for a fault of the file.
    fn fold(operation: &'static str, error: FileError) -> Self;
}

macro_rules! port_error {
    ($($port:ty),*) => {$(
        impl PortError for $port {
            fn fold(operation: &'static str, error: FileError) -> Self {
                match error {
                    FileError::Before(cause) => Self::transient(operation, cause),
                    FileError::After(cause) => Self::unknown(operation, cause),
                    FileError::Content(cause) | FileError::Denied(cause) => {
                        Self::refused(operation, cause)
                    }
                    FileError::Encoding(cause) => Self::bug(operation, cause),
                }
            }
        }
    )*};
}

port_error!(StoreError, OutboxError);
