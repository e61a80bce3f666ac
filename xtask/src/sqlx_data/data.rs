//! One adapter's data: a file for each query, and the server's major version.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::finding::{Finding, Findings};

/// The file that tells which server the others are of.
const MAJOR: &str = "postgres-major";
/// How much of a query is shown where it is named.
const SHOWN: usize = 100;

/// The data of one adapter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Data {
    /// Of a server; a file's engine comes with the adapter.
    major: Option<u32>,
    /// The texts of the files `query-*.json` by their names.
    queries: BTreeMap<String, String>,
}

impl Data {
    /// Reads the committed data in a directory relative to the root; `None` if there is no such directory. Whether it was
    /// made by a server decides if it has a version.
    ///
    /// # Errors
    ///
    /// A finding if it cannot be read, or its version is not told.
    pub(super) fn read(root: &Path, dir: &Path, served: bool) -> Result<Option<Self>, Finding> {
        if !root.join(dir).is_dir() {
            return Ok(None);
        }
        let file = dir.join(MAJOR);
        let major = match served {
            true => Some(major(root, &file)?),
            false => None,
        };
        let queries = queries(&root.join(dir)).map_err(|error| unreadable(dir, &error))?;
        Ok(Some(Self { major, queries }))
    }

    /// Takes what the macros wrote into a directory for a server of this version.
    ///
    /// # Errors
    ///
    /// A finding if it cannot be read.
    pub(super) fn made(dir: &Path, major: Option<u32>) -> Result<Self, Finding> {
        let queries = queries(dir).map_err(|error| unreadable(dir, &error))?;
        Ok(Self { major, queries })
    }

    /// The major version of the server that it is of.
    pub(super) fn major(&self) -> Option<u32> {
        self.major
    }

    /// What it is, in a few words.
    pub(super) fn summary(&self) -> String {
        let queries = self.queries.len();
        match self.major {
            Some(major) => format!("{queries} queries, by PostgreSQL {major}"),
            None => format!("{queries} queries, by SQLite"),
        }
    }

    /// Brings a directory (relative to the root) to this state; what is right already is not touched.
    ///
    /// # Errors
    ///
    /// A finding about the directory.
    pub(super) fn write(&self, root: &Path, dir: &Path) -> Result<(), Finding> {
        let replace = || -> io::Result<()> {
            let at = root.join(dir);
            fs::create_dir_all(&at)?;
            let old = queries(&at)?;
            for name in old.keys().filter(|name| !self.queries.contains_key(*name)) {
                fs::remove_file(at.join(name))?;
            }
            for (name, text) in self
                .queries
                .iter()
                .filter(|(name, text)| old.get(*name) != Some(text))
            {
                fs::write(at.join(name), text)?;
            }
            match self.major {
                Some(major) => fs::write(at.join(MAJOR), format!("{major}\n")),
                None => Ok(()),
            }
        };
        replace().map_err(|error| Finding::file(dir, format!("cannot write it: {error}")))
    }

    /// In what this, in that directory, differs from fresh data.
    pub(super) fn differences(&self, fresh: &Self, dir: &Path) -> Findings {
        let names = self.queries.keys().chain(fresh.queries.keys());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names.dedup();
        let finding = |name: &&String| {
            let (text, what) = match (self.queries.get(*name), fresh.queries.get(*name)) {
                (Some(old), None) => (old, "belongs to no query of the crate"),
                (None, Some(new)) => (new, "is missing"),
                (Some(old), Some(new)) if !same(old, new) => (new, "is not what the server says"),
                _ => return None,
            };
            Some(Finding::file(
                &dir.join(name),
                format!("{what}: {}", query(text)),
            ))
        };
        names.iter().filter_map(finding).collect()
    }
}

fn major(root: &Path, file: &Path) -> Result<u32, Finding> {
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    text.trim().parse().map_err(|_| {
        Finding::file(
            file,
            "expected a server's major version; `cargo xtask prepare` writes it",
        )
    })
}

fn unreadable(dir: &Path, error: &io::Error) -> Finding {
    Finding::file(dir, format!("cannot read it: {error}"))
}

fn queries(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("query-") && name.ends_with(".json") {
            found.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    Ok(found)
}

/// Whether two files say the same. The macros write in one way only, but git may have changed the ends of lines.
fn same(one: &str, other: &str) -> bool {
    one.trim_end().lines().eq(other.trim_end().lines())
}

/// The beginning of the query in a file, in one line.
fn query(text: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("\"query\": "));
    let query = line
        .unwrap_or_default()
        .trim_matches([',', '"'])
        .replace("\\n", " ");
    let words: Vec<_> = query.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;
    use crate::scratch::Scratch;

    fn data(major: u32, queries: &[(&str, &str)]) -> Data {
        let queries = queries
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Data {
            major: Some(major),
            queries: queries.collect(),
        }
    }

    fn text(query: &str, column: &str) -> String {
        format!(
            "{{\n  \"db_name\": \"PostgreSQL\",\n  \"query\": \"{query}\",\n  \"x\": \"{column}\"\n}}\n"
        )
    }

    #[test]
    fn differences_are_told_by_file_and_query() {
        let [gone, same, changed] =
            ["SELECT 1", "SELECT 2", "SELECT\\n  3"].map(|query| text(query, "int4"));
        let carriage = same.replace('\n', "\r\n");
        let other = text("SELECT\\n  3", "int8");
        let committed = data(
            15,
            &[
                ("query-a.json", &gone),
                ("query-b.json", &carriage),
                ("query-c.json", &changed),
            ],
        );
        let fresh = data(
            15,
            &[
                ("query-b.json", &same),
                ("query-c.json", &other),
                ("query-d.json", &gone),
            ],
        );
        assert_eq!(
            texts(&committed.differences(&fresh, Path::new("x/.sqlx"))),
            [
                "x/.sqlx/query-a.json: belongs to no query of the crate: SELECT 1",
                "x/.sqlx/query-c.json: is not what the server says: SELECT 3",
                "x/.sqlx/query-d.json: is missing: SELECT 1",
            ]
        );
        assert_eq!(committed.differences(&committed, Path::new("x")), []);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let scratch = Scratch::with(&[("a/.sqlx/query-old.json", "{}"), ("a/.sqlx/notes", "")]);
        let dir = Path::new("a/.sqlx");
        let fresh = data(17, &[("query-new.json", "{ }")]);
        fresh.write(scratch.root(), dir).unwrap();
        assert_eq!(Data::read(scratch.root(), dir, true), Ok(Some(fresh)));
        assert!(scratch.root().join("a/.sqlx/notes").is_file());
        assert_eq!(
            fs::read_to_string(scratch.root().join("a/.sqlx/postgres-major")).unwrap(),
            "17\n"
        );
    }

    #[test]
    fn data_of_an_unknown_server_is_a_breach_but_none_is_none() {
        let scratch = Scratch::with(&[("a/.sqlx/query-a.json", "{}")]);
        let fault = Data::read(scratch.root(), Path::new("a/.sqlx"), true)
            .unwrap_err()
            .to_string();
        assert_eq!(
            fault,
            "a/.sqlx/postgres-major: expected a server's major version; `cargo xtask prepare` writes it"
        );
        assert_eq!(
            Data::read(scratch.root(), Path::new("b/.sqlx"), true),
            Ok(None)
        );
        let unserved = Data::read(scratch.root(), Path::new("a/.sqlx"), false);
        assert_eq!(
            unserved.unwrap().unwrap().major(),
            None,
            "a file has no server"
        );
    }
}
