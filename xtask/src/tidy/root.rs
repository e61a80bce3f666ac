//! The root shows what the project is, and nothing else.

use std::path::Path;

use crate::finding::{Finding, Findings};
use crate::text::files;

/// What may be in the root.
const KNOWN: [&str; 21] = [
    ".cargo",
    ".ci",
    ".dockerignore",
    ".git",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "crates",
    "docker",
    "docs",
    "examples",
    "migrations",
    "rustfmt.toml",
    "target",
    "xtask",
];
/// What must be in the root.
const REQUIRED: [&str; 5] = [
    "ARCHITECTURE.md",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
];

/// Checks what is in the root, and that the rules are explained where findings say that they are.
pub(super) fn check(root: &Path) -> Findings {
    let names = match files::names(root) {
        Ok(names) => names,
        Err(error) => {
            return vec![Finding::file(
                root,
                format!("cannot read the directory: {error}"),
            )];
        }
    };
    let mut findings: Findings = of(&names);
    if let Ok(architecture) = files::read(root, Path::new("ARCHITECTURE.md")) {
        let is_heading = |line: &str| {
            line.starts_with('#') && line.trim_start_matches('#').trim() == "Invariants"
        };
        if !architecture.text.lines().any(is_heading) {
            findings.push(Finding::file(
                &architecture.path,
                "expected a heading `Invariants`: findings point to it",
            ));
        }
    }
    findings
}

fn of(names: &[String]) -> Findings {
    let unknown = names
        .iter()
        .filter(|name| !KNOWN.contains(&name.as_str()))
        .map(|name| {
            Finding::file(
                Path::new(name),
                "does not belong in the root; move it, or name it in xtask/src/tidy/root.rs",
            )
        });
    let missing = REQUIRED
        .iter()
        .filter(|name| !names.iter().any(|there| there == *name));
    let missing = missing.map(|name| Finding::file(Path::new(name), "is missing"));
    unknown.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;
    use crate::scratch::Scratch;

    #[test]
    fn clutter_and_gaps_are_told() {
        let mut names: Vec<String> = KNOWN.map(str::to_owned).to_vec();
        names.retain(|name| name != "README.md");
        names.push("NOTES.md".to_owned());
        assert_eq!(
            texts(&of(&names)),
            [
                "NOTES.md: does not belong in the root; move it, or name it in xtask/src/tidy/root.rs",
                "README.md: is missing",
            ]
        );
    }

    #[test]
    fn the_explanation_must_be_where_findings_point() {
        let files = REQUIRED.map(|name| (name, "# Invariants of nothing\n"));
        let scratch = Scratch::with(&files);
        let found = texts(&check(scratch.root()));
        assert_eq!(
            found,
            ["ARCHITECTURE.md: expected a heading `Invariants`: findings point to it"]
        );

        std::fs::write(scratch.root().join("ARCHITECTURE.md"), "## Invariants\n").unwrap();
        assert_eq!(check(scratch.root()), []);
    }
}
