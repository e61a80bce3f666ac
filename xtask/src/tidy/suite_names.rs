//! The suite is for any adapter, so it names none.

use std::path::Path;

use crate::finding::{Finding, Findings};
use crate::text::files::{self, TextFile};

/// Where the suite is.
const SUITE: &str = "crates/dvt-conformance/src";
/// Words that name an adapter, in lower case.
const NAMES: [&str; 5] = [
    "postgres",
    "sqlite",
    "adapter_memory",
    "adapter-memory",
    "memorystore",
];

/// Checks the sources of the suite, comments included.
pub(super) fn check(root: &Path) -> Findings {
    match files::rust_files(root, Path::new(SUITE)) {
        Ok(sources) => sources.iter().flat_map(of).collect(),
        Err(finding) => vec![finding],
    }
}

fn of(file: &TextFile) -> Findings {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let line = line.to_lowercase();
        for name in NAMES.iter().filter(|name| line.contains(**name)) {
            let message = format!("the suite must name no adapter, found `{name}`");
            findings.push(Finding::line(&file.path, number, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    #[test]
    fn a_name_is_found_in_any_case_and_in_comments() {
        let file = TextFile {
            path: "src/x.rs".into(),
            text: "// any store\n// as PostgreSQL does\nuse dvt_adapter_memory::MemoryStore;\n"
                .to_owned(),
        };
        assert_eq!(
            texts(&of(&file)),
            [
                "src/x.rs:2: the suite must name no adapter, found `postgres`",
                "src/x.rs:3: the suite must name no adapter, found `adapter_memory`",
                "src/x.rs:3: the suite must name no adapter, found `memorystore`",
            ]
        );
    }
}
