//! Finding and reading files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::finding::Finding;

/// A text file, by its path relative to the root.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// The path, relative to the root.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) text: String,
}

/// Reads a file given relative to the root.
///
/// # Errors
///
/// A finding that tells why not.
pub(crate) fn read(root: &Path, path: &Path) -> Result<TextFile, Finding> {
    match fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(TextFile {
            path: path.to_path_buf(),
            text,
        }),
        Err(error) => Err(Finding::file(path, format!("cannot read it: {error}"))),
    }
}

/// Reads all `.rs` files under a directory given relative to the root, sorted by path.
///
/// # Errors
///
/// A finding for the first directory or file that cannot be read.
pub(crate) fn rust_files(root: &Path, dir: &Path) -> Result<Vec<TextFile>, Finding> {
    let mut paths = Vec::new();
    collect(root, dir, &mut paths)?;
    paths.sort();
    paths.iter().map(|path| read(root, path)).collect()
}

fn collect(root: &Path, dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), Finding> {
    let fault =
        |error: io::Error| Finding::file(dir, format!("cannot read the directory: {error}"));
    for entry in fs::read_dir(root.join(dir)).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let path = dir.join(entry.file_name());
        // Links are not followed: they may lead around in circles.
        let kind = entry.file_type().map_err(fault)?;
        if kind.is_dir() {
            collect(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The names in a directory, sorted.
pub(crate) fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(dir)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn rust_files_are_found_at_any_depth_in_order() {
        let scratch = Scratch::with(&[("src/b/c.rs", "C"), ("src/a.rs", "A"), ("src/x.sql", "")]);
        let found = rust_files(scratch.root(), Path::new("src")).unwrap();
        let texts: Vec<_> = found.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["A", "C"]);
        assert_eq!(found[1].path, Path::new("src/b/c.rs"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let scratch = Scratch::with(&[]);
        let file = read(scratch.root(), Path::new("README.md"))
            .unwrap_err()
            .to_string();
        assert!(file.starts_with("README.md: cannot read it: "), "{file}");
        let dir = rust_files(scratch.root(), Path::new("src"))
            .unwrap_err()
            .to_string();
        assert!(dir.starts_with("src: cannot read the directory: "), "{dir}");
    }
}
