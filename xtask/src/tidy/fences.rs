//! An example that the compiler never sees rots.

use std::path::Path;

use super::crates;
use crate::finding::{Finding, Findings};
use crate::text::docs;
use crate::text::files::{self, TextFile};

/// How Rust looks when it hides in a fence for plain text.
const RUST: [&str; 9] = [
    "use ",
    "pub ",
    "fn ",
    "async fn ",
    "let ",
    "impl ",
    "#[",
    "struct ",
    "macro_rules!",
];

/// Checks the doc comments and readmes of all crates.
pub(super) fn check(root: &Path) -> Findings {
    let packages = match crates(root) {
        Ok(packages) => packages,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    for package in packages {
        // A missing readme is told elsewhere.
        if let Ok(readme) = files::read(root, &package.join("README.md")) {
            findings.extend(of(&readme, |line| Some(line)));
        }
        match files::rust_files(root, &package.join("src")) {
            Ok(sources) => {
                findings.extend(sources.iter().flat_map(|file| of(file, doc_line)));
            }
            Err(finding) => findings.push(finding),
        }
    }
    findings
}

/// The markdown of a line of Rust.
fn doc_line(line: &str) -> Option<&str> {
    docs::doc_text(line).map(|(text, _)| text)
}

/// Checks the markdown of a file; `text` gives what is markdown of a line.
fn of(file: &TextFile, text: fn(&str) -> Option<&str>) -> Findings {
    let mut findings = Vec::new();
    // The words after the fence that is open, and whether this one has been told.
    let mut open: Option<(String, bool)> = None;
    for (number, line) in (1..).zip(file.text.lines()) {
        let Some(line) = text(line).map(str::trim) else {
            open = None;
            continue;
        };
        let fence = line
            .strip_prefix("```")
            .or_else(|| line.strip_prefix("~~~"));
        match (&mut open, fence) {
            (None, Some(info)) => {
                let ignored = info
                    .split([',', ' '])
                    .any(|word| word.starts_with("ignore"));
                if ignored {
                    let message =
                        "an `ignore` fence is never compiled; use `no_run` or hidden lines";
                    findings.push(Finding::line(&file.path, number, message));
                }
                open = Some((info.trim_matches('`').to_owned(), ignored));
            }
            (Some(_), Some(_)) => open = None,
            (Some((info, told @ false)), None)
                if info == "text" && RUST.iter().any(|rust| line.starts_with(rust)) =>
            {
                let message = format!("Rust in a `text` fence is never compiled: `{line}`");
                findings.push(Finding::line(&file.path, number, message));
                *told = true;
            }
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn in_readme(text: &str) -> Vec<String> {
        let file = TextFile {
            path: "README.md".into(),
            text: text.to_owned(),
        };
        texts(&of(&file, |line| Some(line)))
    }

    #[test]
    fn an_ignored_fence_is_told() {
        for info in ["ignore", "rust,ignore", "ignore-windows", "rust, ignore"] {
            let found = in_readme(&format!("```{info}\nlet x = 1;\n```\n"));
            assert_eq!(
                found,
                ["README.md:1: an `ignore` fence is never compiled; use `no_run` or hidden lines"]
            );
        }
    }

    #[test]
    fn rust_in_a_text_fence_is_told_once() {
        let found = in_readme("~~~text\na\nlet x = 1;\nlet y = 1;\n~~~\n");
        assert_eq!(
            found,
            ["README.md:3: Rust in a `text` fence is never compiled: `let x = 1;`"]
        );
    }

    #[test]
    fn compiled_examples_shells_and_plain_text_pass() {
        let text = "```\nlet x = 1;\n```\n```no_run\nuse x;\n```\n```sh\nlet x\n```\n```text\nappend → relay\n```\nlet\n";
        assert_eq!(in_readme(text), [""; 0]);
    }

    #[test]
    fn doc_comments_are_read_and_code_is_not() {
        let scratch = crate::scratch::Scratch::with(&[
            ("crates/a/Cargo.toml", ""),
            (
                "crates/a/src/x.rs",
                "/// ```ignore\n/// ```\nfn f() {}\n// ```ignore\n",
            ),
        ]);
        let found = texts(&check(scratch.root()));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/x.rs:1: "), "{found:?}");
    }
}
