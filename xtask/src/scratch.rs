//! A directory for a while.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

/// A fresh directory that is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty directory among the machine's temporary ones.
    ///
    /// # Errors
    ///
    /// Those of making a directory; one that is there already is never taken.
    pub(crate) fn new() -> io::Result<Self> {
        let name = format!("dvt-xtask-{:016x}", random());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Makes the directory and the given files in it.
    #[cfg(test)]
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let scratch = Self::new().unwrap();
        for (file, text) in files {
            let path = scratch.0.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        scratch
    }

    /// The directory.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory left behind in the temporary directory harms nobody, a panic here would hide what went wrong before.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A number that nobody else has, for names: the standard library seeds its hashers at random.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
