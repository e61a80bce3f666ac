//! The invariants of ARCHITECTURE.md that a machine can check.

mod arrows;
mod attributes;
mod fences;
mod leftovers;
mod length;
mod members;
mod metrics;
mod root;
mod suite_names;
mod toc;

use std::path::{Path, PathBuf};

use crate::finding::{Check, Finding, Findings};
use crate::text::files::{self, TextFile};
use crate::workspace::crates_in;

/// Where all these rules are explained.
const HEADING: &str = "see ARCHITECTURE.md#invariants";

/// The checks of this module.
pub(crate) fn checks() -> [Check; 10] {
    let check = |name, run| Check {
        name,
        heading: HEADING,
        run,
    };
    [
        check("tidy: arrows point inwards", arrows::check),
        check("tidy: the suite names no adapter", |root| {
            suite_names::check(root)
        }),
        check("tidy: crates are complete", members::check),
        check("tidy: lib.rs is a table of contents", |root| {
            toc::check(root)
        }),
        check("tidy: files are short", |root| {
            each_source(root, length::of)
        }),
        check("tidy: exceptions have reasons", |root| {
            each_source(root, attributes::of)
        }),
        check("tidy: nothing is left over", |root| {
            each_source(root, leftovers::of)
        }),
        check("tidy: examples are compiled", fences::check),
        check("tidy: metrics have panels", metrics::check),
        check("tidy: the root is clean", root::check),
    ]
}

/// The crates of `crates/` by their directories, relative to the root.
///
/// # Errors
///
/// A finding if they cannot be listed or there are none.
fn crates(root: &Path) -> Result<Vec<PathBuf>, Finding> {
    let dir = Path::new("crates");
    let crates = crates_in(root, dir)
        .map_err(|error| Finding::file(dir, format!("cannot read the directory: {error}")))?;
    if crates.is_empty() {
        return Err(Finding::file(dir, "expected crates, found none"));
    }
    Ok(crates)
}

/// The `.rs` files of `crates/*/src` and `xtask/src`.
fn sources(root: &Path) -> Result<Vec<TextFile>, Finding> {
    let mut packages = crates(root)?;
    packages.push("xtask".into());
    let mut found = Vec::new();
    for package in packages {
        found.extend(files::rust_files(root, &package.join("src"))?);
    }
    Ok(found)
}

/// What a rule about single files finds in all sources.
fn each_source(root: &Path, rule: fn(&TextFile) -> Findings) -> Findings {
    match sources(root) {
        Ok(sources) => sources.iter().flat_map(rule).collect(),
        Err(finding) => vec![finding],
    }
}

/// The name of a crate's directory, which is also the crate's.
fn name_of(package: &Path) -> String {
    package
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn an_empty_tree_fails_every_check() {
        let scratch = Scratch::with(&[]);
        for check in checks() {
            assert_ne!((check.run)(scratch.root()), [], "{}", check.name);
        }
    }

    #[test]
    fn rules_see_all_sources() {
        let scratch = Scratch::with(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/deep/x.rs", "fn f() { dbg!(1); }"),
            ("xtask/src/main.rs", "fn f() { dbg!(1); }"),
        ]);
        let found = crate::finding::texts(&each_source(scratch.root(), leftovers::of));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("crates/a/src/deep/x.rs:1: "),
            "{found:?}"
        );
        assert!(found[1].starts_with("xtask/src/main.rs:1: "), "{found:?}");
    }
}
