use std::path::Path;

use dvt_contracts::{BoxError, OutboxError, StoreError};

/// What can go wrong with the file, by what a caller should do about it.
#[derive(Debug)]
pub(crate) enum FileError {
    /// Before the new file took the old one's place: nothing happened.
    Before(BoxError),
    /// While it took its place, or after: it may have happened.
    After(BoxError),
    /// The content is not what this store writes.
    Content(BoxError),
}

impl FileError {
    pub(crate) fn before(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::Before(sentence(doing, path, error))
    }

    pub(crate) fn after(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::After(sentence(doing, path, error))
    }

    pub(crate) fn content(path: &Path, fault: &dyn std::fmt::Display) -> Self {
        Self::Content(
            format!(
                "{} is no file of this store, or damaged: {fault}",
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
                    FileError::Before(source) => Self::Transient { operation, source },
                    FileError::After(source) => Self::Unknown { operation, source },
                    FileError::Content(source) => Self::Bug { operation, source },
                }
            }
        }
    )*};
}

port_error!(StoreError, OutboxError);
