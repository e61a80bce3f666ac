//! An exception from a lint is an `expect` and has a reason, so that it goes when its cause goes.

use crate::finding::{Finding, Findings};
use crate::text::code;
use crate::text::files::TextFile;

/// Checks one file.
pub(super) fn of(file: &TextFile) -> Findings {
    let code = code::only(&file.text);
    let mut findings = Vec::new();
    for (at, attribute) in attributes(&code) {
        let mut tell = |place: usize, message: &str| {
            findings.push(Finding::line(
                &file.path,
                code::line_of(&code, at + place),
                message,
            ));
        };
        for place in calls(attribute, "allow") {
            tell(
                place,
                "expected `#[expect(…, reason = \"…\")]`, found an `allow`",
            );
        }
        for place in calls(attribute, "expect") {
            let inside = attribute.get(place..).map_or("", in_parentheses);
            if !has_reason(inside) {
                tell(place, "an `expect` needs a `reason = \"…\"`");
            }
        }
    }
    findings
}

/// The attributes of a code, each with its place.
fn attributes(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices('#').filter_map(|(at, _)| {
        let rest = code.get(at..)?;
        let is_attribute = rest.starts_with("#[") || rest.starts_with("#![");
        is_attribute.then(|| (at, balanced(rest, '[', ']')))
    })
}

/// The places where a word stands before a parenthesis.
fn calls<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code::words(text, word).filter(move |at| {
        let after = text.get(at + word.len()..).unwrap_or_default();
        after.trim_start().starts_with('(')
    })
}

/// The arguments of the call that a text begins with.
fn in_parentheses(text: &str) -> &str {
    balanced(text, '(', ')')
}

/// A text up to where its first bracket closes.
fn balanced(text: &str, open: char, close: char) -> &str {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return text.get(..at).unwrap_or(text);
            }
        }
    }
    text
}

/// Whether there is a `reason = "…"` that says something; the inside of strings is blanked, so its length must do.
fn has_reason(arguments: &str) -> bool {
    code::words(arguments, "reason").any(|at| {
        let value = arguments.get(at + "reason".len()..).unwrap_or_default();
        let value = value.trim_start().strip_prefix('=').map(str::trim_start);
        value.is_some_and(|value| value.starts_with("\" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn found(text: &str) -> Vec<String> {
        texts(&of(&TextFile {
            path: "x.rs".into(),
            text: text.to_owned(),
        }))
    }

    #[test]
    fn an_allow_is_told_wherever_it_hides() {
        for text in [
            "#[allow(dead_code)]",
            "#![allow(dead_code)]",
            "#[cfg_attr(test, allow(dead_code))]",
            "#[allow(dead_code, reason = \"x\")]",
            "#[ allow (\ndead_code)]",
        ] {
            let found = found(&format!("fn f() {{}}\n{text}\nfn g() {{}}\n"));
            assert_eq!(
                found,
                ["x.rs:2: expected `#[expect(…, reason = \"…\")]`, found an `allow`"],
                "{text}"
            );
        }
    }

    #[test]
    fn an_expect_without_a_reason_is_told() {
        for text in [
            "#[expect(dead_code)]",
            "#[expect(\n    dead_code\n)]",
            "#[expect(dead_code, reason = \"\")]",
            "#[cfg_attr(test, expect(dead_code), doc = \"reason = x\")]",
        ] {
            assert_eq!(
                found(text),
                ["x.rs:1: an `expect` needs a `reason = \"…\"`"],
                "{text}"
            );
        }
    }

    #[test]
    fn reasons_calls_and_texts_pass() {
        let text = "#[expect(\n    dead_code,\n    reason = \"used by [x](y)\"\n)]\n// #[allow(x)]\nfn f() {\n    \
                    x.expect(\"#[allow(y)]\");\n    allow(z);\n}\n#[doc = \"allow(x)\"]\nfn g() {}\n";
        assert_eq!(found(text), [""; 0]);
    }
}
