//! Servers' programs on this machine.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ask::ask;
use super::product::Product;

/// Where packages of PostgreSQL put one folder for each major version.
const POSTGRES_VERSIONS: [(&str, &str); 2] = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")];

/// A folder with all the programs that a product's server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// The folder that the product's variable names, if it is set.
    ///
    /// # Errors
    ///
    /// A sentence if the programs are not in it.
    pub(super) fn named(product: Product) -> Result<Option<Self>, String> {
        let variable = product.facts().folder;
        let Some(dir) = env::var_os(variable).filter(|dir| !dir.is_empty()) else {
            return Ok(None);
        };
        let dir = PathBuf::from(dir);
        let shown = dir.display().to_string();
        Self::of(product, dir).map(Some).ok_or_else(|| {
            format!(
                "expected {} in the folder {variable}, found not all of them in {shown}",
                product.facts().programs.join(", ")
            )
        })
    }

    /// The programs to take if any version will do.
    pub(super) fn found(product: Product) -> Option<Self> {
        let mut dirs = candidates(product).into_iter();
        dirs.find_map(|dir| Self::of(product, dir))
    }

    /// The programs of this major version of PostgreSQL; only those in `DVT_PG_BIN` count if it is set.
    ///
    /// # Errors
    ///
    /// A sentence if `DVT_PG_BIN` names a folder without them.
    pub(super) fn of_postgres(major: u32) -> Result<Option<Self>, String> {
        let found = match Self::named(Product::Postgres)? {
            Some(named) => vec![named],
            None => candidates(Product::Postgres)
                .into_iter()
                .filter_map(|dir| Self::of(Product::Postgres, dir))
                .collect(),
        };
        Ok(found
            .into_iter()
            .find(|binaries| binaries.major() == Some(major)))
    }

    /// The folder, if all the programs are in it.
    fn of(product: Product, dir: PathBuf) -> Option<Self> {
        let programs = product.facts().programs;
        let all = programs.iter().all(|program| dir.join(program).is_file());
        // Another user may start them, from another directory.
        all.then(|| Self(dir.canonicalize().unwrap_or(dir)))
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.0
    }

    /// The major version, as PostgreSQL's server tells it.
    fn major(&self) -> Option<u32> {
        let postgres = self.0.join("postgres");
        major(&ask(postgres.to_str()?, &["--version"]).ok()?)
    }
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Folders to look in, the best first.
fn candidates(product: Product) -> Vec<PathBuf> {
    let facts = product.facts();
    let mut dirs = Vec::new();
    for dir in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        // A link on the PATH leads to where the others are, and to the program that a wrapper wraps.
        let target = dir.join(facts.programs[0]).canonicalize().ok();
        let target = target.and_then(|program| program.parent().map(Path::to_path_buf));
        dirs.extend(target);
        dirs.push(dir);
    }
    dirs.extend(facts.places.iter().map(PathBuf::from));
    if product == Product::Postgres {
        for (parent, prefix) in POSTGRES_VERSIONS {
            dirs.extend(versions(Path::new(parent), prefix));
        }
        dirs.extend(ask("pg_config", &["--bindir"]).ok().map(PathBuf::from));
    }
    dirs
}

/// `<parent>/<prefix><major>/bin` of all majors, the newest first.
fn versions(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = parent.read_dir().into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let major = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, dir)| dir).collect()
}

/// The major version in what `postgres --version` prints.
fn major(version: &str) -> Option<u32> {
    let number = version
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_newest_version_goes_first() {
        let scratch = Scratch::with(&[
            ("9/bin/x", ""),
            ("18/bin/x", ""),
            ("17/bin/x", ""),
            ("common/x", ""),
        ]);
        let root = scratch.root();
        let expected = ["18/bin", "17/bin", "9/bin"].map(|dir| root.join(dir));
        assert_eq!(versions(root, ""), expected);
        assert!(versions(root, "pgsql-").is_empty());
    }

    #[test]
    fn a_folder_counts_only_with_all_programs() {
        let scratch = Scratch::with(&[
            ("half/initdb", ""),
            ("all/initdb", ""),
            ("all/pg_ctl", ""),
            ("all/postgres", ""),
        ]);
        let of = |dir: &str| Binaries::of(Product::Postgres, scratch.root().join(dir));
        assert_eq!(of("half"), None);
        assert!(of("all").is_some());
    }

    #[test]
    fn majors_are_read_from_what_the_server_says() {
        for (text, expected) in [
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 14.23", Some(14)),
            ("something else", None),
        ] {
            assert_eq!(major(text), expected, "{text}");
        }
    }
}
