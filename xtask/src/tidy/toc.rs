//! A library's lib.rs is its readme and a table of contents.

use std::path::Path;

use super::crates;
use crate::finding::{Finding, Findings};
use crate::text::code;
use crate::text::files::{self, TextFile};

/// How every lib.rs begins.
const FIRST: &str = "#![doc = include_str!(\"../README.md\")]";
/// More lines than a table of contents has.
const TOO_LONG: usize = 120;

/// Checks the lib.rs of every library.
pub(super) fn check(root: &Path) -> Findings {
    let packages = match crates(root) {
        Ok(packages) => packages,
        Err(finding) => return vec![finding],
    };
    let libraries = packages.iter().map(|package| package.join("src/lib.rs"));
    // A crate without one is a program.
    let libraries = libraries.filter(|path| root.join(path).is_file());
    libraries
        .flat_map(|path| {
            files::read(root, &path).map_or_else(|finding| vec![finding], |file| of(&file))
        })
        .collect()
}

fn of(file: &TextFile) -> Findings {
    let mut findings = Vec::new();
    if file.text.lines().next() != Some(FIRST) {
        findings.push(Finding::line(
            &file.path,
            1,
            format!("expected `{FIRST}` as the first line"),
        ));
    }
    let lines = file.text.lines().count();
    if lines >= TOO_LONG {
        let message = format!("expected fewer than {TOO_LONG} lines, found {lines}");
        findings.push(Finding::file(&file.path, message));
    }
    findings.extend(foreign_item(&code::only(&file.text)).map(|(line, text)| {
        let message = format!("expected only modules, uses and attributes, found `{text}`");
        Finding::line(&file.path, line, message)
    }));
    findings
}

/// The first item that has no place in a table of contents; `code` is without comments.
fn foreign_item(code: &str) -> Option<(usize, String)> {
    let mut rest = code;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        match after_item(rest) {
            Some(next) => rest = next,
            None => {
                let line = code::line_of(code, code.len() - rest.len());
                return Some((
                    line,
                    rest.lines()
                        .next()
                        .unwrap_or_default()
                        .trim_end()
                        .to_owned(),
                ));
            }
        }
    }
}

/// What follows the first item of a text, if that is one for a table of contents.
fn after_item(text: &str) -> Option<&str> {
    if text.starts_with("#[") || text.starts_with("#![") {
        return after_brackets(text);
    }
    // The end of an inline module.
    if let Some(rest) = text.strip_prefix('}') {
        return Some(rest);
    }
    let end = text.find([';', '{'])?;
    let (head, tail) = text.split_at(end);
    let words: Vec<_> = head
        .split_whitespace()
        .filter(|word| !word.starts_with("pub"))
        .collect();
    match words.first().copied()? {
        // The tree of a `use` has braces of its own.
        "use" => text.split_once(';').map(|(_, rest)| rest),
        "extern" | "mod" if tail.starts_with(';') => tail.get(1..),
        // Its contents are looked at like everything else.
        "mod" => tail.get(1..),
        _ => None,
    }
}

fn after_brackets(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return text.get(at + 1..),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn found(text: &str) -> Vec<String> {
        texts(&of(&TextFile {
            path: "src/lib.rs".into(),
            text: text.to_owned(),
        }))
    }

    #[test]
    fn modules_uses_and_attributes_make_a_table_of_contents() {
        let text = format!(
            "{FIRST}\n\n#[macro_use]\nmod list; // fn\npub(crate) mod a;\n\n/// For the macro; fn.\n#[doc(hidden)]\n\
             pub mod __private {{\n    pub use ::tokio;\n}}\n\npub use self::a::{{\n    B, C,\n}};\nuse d::*;\n"
        );
        assert_eq!(found(&text), [""; 0]);
    }

    #[test]
    fn anything_else_is_told() {
        let items = [
            "fn f() {}",
            "pub fn f() {}",
            "const A: u8 = 1;",
            "pub struct S;",
            "macro_rules! m { () => {} }",
            "mod m { fn f() {} }",
            "thing!();",
            "impl S {}",
        ];
        for item in items {
            let found = found(&format!("{FIRST}\nmod a;\n{item}\n"));
            assert_eq!(found.len(), 1, "{item}: {found:?}");
            assert!(
                found[0].starts_with("src/lib.rs:3: expected only modules"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn another_beginning_is_told() {
        assert_eq!(
            found("//! Docs.\nmod a;\n"),
            ["src/lib.rs:1: expected `#![doc = include_str!(\"../README.md\")]` as the first line"]
        );
    }

    #[test]
    fn too_many_lines_are_told() {
        let text = format!("{FIRST}\n{}", "mod a;\n".repeat(TOO_LONG - 1));
        assert_eq!(
            found(&text),
            ["src/lib.rs: expected fewer than 120 lines, found 120"]
        );
    }
}
