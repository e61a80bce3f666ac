//! Where things are.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::finding::Finding;
use crate::text::files;

/// The workspace this crate belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    locked: bool,
}

impl Workspace {
    /// The workspace around this crate.
    pub(crate) fn of_this_crate() -> Self {
        // Cargo tells where the package is now; the place at compile time serves a binary that is started by hand.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
        let package = PathBuf::from(package);
        let root = package
            .parent()
            .map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        Self {
            root,
            locked: is_set(env::var("CI").ok().as_deref()),
        }
    }

    /// The directory of the workspace's Cargo.toml.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether lock files must stay as they are, as they must in CI.
    pub(crate) fn locked(&self) -> bool {
        self.locked
    }

    /// The target directory of the example workspaces: inside ours, so that what caches ours caches theirs.
    pub(crate) fn examples_target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |dir| self.root.join(dir))
            .join("examples")
    }

    /// The directories under `examples/` that are crates, relative to the root, sorted.
    ///
    /// # Errors
    ///
    /// A finding if the directory cannot be read or no crate is in it: nothing to run must not look like a pass.
    pub(crate) fn examples(&self) -> Result<Vec<PathBuf>, Finding> {
        let dir = Path::new("examples");
        let found = crates_in(&self.root, dir)
            .map_err(|error| Finding::file(dir, format!("cannot read the directory: {error}")))?;
        if found.is_empty() {
            return Err(Finding::file(
                dir,
                "expected a directory with a Cargo.toml, found none",
            ));
        }
        Ok(found)
    }
}

/// The directories in `dir` (relative to the root) that have a Cargo.toml, sorted.
pub(crate) fn crates_in(root: &Path, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let names = files::names(&root.join(dir))?;
    let dirs = names.into_iter().map(|name| dir.join(name));
    Ok(dirs
        .filter(|dir| root.join(dir).join("Cargo.toml").is_file())
        .collect())
}

/// Whether the value of an environment variable means yes.
fn is_set(value: Option<&str>) -> bool {
    !matches!(value, None | Some("" | "0" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn workspace(scratch: &Scratch) -> Workspace {
        Workspace {
            root: scratch.root().to_path_buf(),
            locked: false,
        }
    }

    #[test]
    fn examples_are_directories_with_a_manifest() {
        let scratch = Scratch::with(&[
            ("examples/b/Cargo.toml", ""),
            ("examples/a/Cargo.toml", ""),
            ("examples/README.md", ""),
            ("examples/notes/x.txt", ""),
        ]);
        let found = workspace(&scratch).examples().unwrap();
        assert_eq!(
            found,
            [PathBuf::from("examples/a"), PathBuf::from("examples/b")]
        );
    }

    #[test]
    fn no_example_is_an_error() {
        let absent = workspace(&Scratch::with(&[])).examples().unwrap_err();
        let absent = absent.to_string();
        assert!(
            absent.starts_with("examples: cannot read the directory: "),
            "{absent}"
        );
        let scratch = Scratch::with(&[("examples/README.md", "")]);
        let empty = workspace(&scratch).examples().unwrap_err().to_string();
        assert_eq!(
            empty,
            "examples: expected a directory with a Cargo.toml, found none"
        );
    }

    #[test]
    fn ci_is_on_unless_it_says_no() {
        assert!(is_set(Some("true")) && is_set(Some("1")));
        assert!(!is_set(None) && !is_set(Some("")) && !is_set(Some("0")) && !is_set(Some("false")));
    }
}
