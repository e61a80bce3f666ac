//! Every crate has what every crate has.

use std::path::Path;

use super::crates;
use crate::finding::{Finding, Findings};
use crate::text::files::{self, TextFile};
use crate::text::manifest::Manifest;

/// Checks every crate of `crates/` and this one.
pub(super) fn check(root: &Path) -> Findings {
    let mut packages = match crates(root) {
        Ok(packages) => packages,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    for package in &packages {
        let readme = package.join("README.md");
        match files::read(root, &readme) {
            Ok(file) if file.text.trim().is_empty() => {
                findings.push(Finding::file(&readme, "is empty"))
            }
            Ok(_) => {}
            Err(finding) => findings.push(finding),
        }
    }
    // A program for the workspace's own use: `--help` is its readme.
    packages.push("xtask".into());
    for package in packages {
        match files::read(root, &package.join("Cargo.toml")) {
            Ok(manifest) => findings.extend(lints(&manifest)),
            Err(finding) => findings.push(finding),
        }
    }
    findings
}

fn lints(manifest: &TextFile) -> Option<Finding> {
    let inherited = Manifest::parse(&manifest.text).value(&["lints", "workspace"]) == Some("true");
    (!inherited).then(|| Finding::file(&manifest.path, "expected `[lints] workspace = true`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;
    use crate::scratch::Scratch;

    #[test]
    fn missing_readme_and_lints_are_told() {
        let lints = "[lints]\nworkspace = true\n";
        let scratch = Scratch::with(&[
            ("crates/a/Cargo.toml", lints),
            ("crates/a/README.md", "# a\n"),
            ("crates/b/Cargo.toml", "[lints]\n"),
            ("crates/c/Cargo.toml", lints),
            ("crates/c/README.md", "\n"),
            ("xtask/Cargo.toml", "[package]\n"),
        ]);
        let found = texts(&check(scratch.root()));
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(
            found[0].starts_with("crates/b/README.md: cannot read it: "),
            "{found:?}"
        );
        assert_eq!(
            found[1..],
            [
                "crates/c/README.md: is empty",
                "crates/b/Cargo.toml: expected `[lints] workspace = true`",
                "xtask/Cargo.toml: expected `[lints] workspace = true`",
            ]
        );
    }
}
