//! The one list of the cases, which emits the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::cases::Case;
use crate::finding::{Finding, Findings};
use crate::text::code::is_word;
use crate::text::files::TextFile;

/// The line before the list.
const BEGIN: &str = "// cases: begin";
/// The line after the list.
const END: &str = "// cases: end";

/// One name in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// The line of the name.
    pub(super) line: usize,
    /// The family that it stands under.
    pub(super) family: String,
    /// The name.
    pub(super) name: String,
}

/// Reads the list between its markers: `family {`, lines of `name,`, `}`.
///
/// # Errors
///
/// A finding for each missing marker and each line of another form.
pub(super) fn parse(file: &TextFile) -> Result<Vec<Listed>, Findings> {
    let lines = || (1..).zip(file.text.lines().map(str::trim));
    let at = |marker: &str| {
        lines()
            .find(|(_, text)| *text == marker)
            .map(|(line, _)| line)
    };
    let (Some(begin), Some(end)) = (at(BEGIN), at(END)) else {
        let message = format!("expected the lines `{BEGIN}` and `{END}` around the list");
        return Err(vec![Finding::file(&file.path, message)]);
    };
    let mut listed = Vec::new();
    let mut findings = Vec::new();
    let mut family: Option<String> = None;
    for (line, text) in lines().filter(|(line, _)| (begin + 1..end).contains(line)) {
        let text = text.split("//").next().unwrap_or_default().trim();
        match (&family, text.strip_suffix('{').map(str::trim)) {
            _ if text.is_empty() => {}
            (None, Some(name)) if is_name(name) => family = Some(name.to_owned()),
            (Some(_), None) if text == "}" => family = None,
            (Some(family), None)
                if text
                    .trim_end_matches(',')
                    .split(',')
                    .all(|name| is_name(name.trim())) =>
            {
                listed.extend(text.trim_end_matches(',').split(',').map(|name| Listed {
                    line,
                    family: family.clone(),
                    name: name.trim().to_owned(),
                }));
            }
            _ => {
                let message = format!("expected `family {{`, `name,` or `}}`, found `{text}`");
                findings.push(Finding::line(&file.path, line, message));
            }
        }
    }
    if let Some(family) = family {
        findings.push(Finding::line(
            &file.path,
            end,
            format!("the block `{family}` is not closed"),
        ));
    }
    if findings.is_empty() {
        Ok(listed)
    } else {
        Err(findings)
    }
}

/// What the list at `path` lacks, and what it has too much.
pub(super) fn compare(path: &Path, listed: &[Listed], cases: &[Case]) -> Findings {
    let mut findings = Vec::new();
    let known: BTreeSet<_> = cases.iter().map(key).collect();
    let mut first: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for Listed { line, family, name } in listed {
        let key = (family.as_str(), name.as_str());
        if !known.contains(&key) {
            let message = format!(
                "`{family}::{name}` is no case: cases/{family}.rs has no such `pub async fn`"
            );
            findings.push(Finding::line(path, *line, message));
        }
        if let Some(first) = first.get(&key) {
            let message = format!("`{family}::{name}` is in the list already, at line {first}");
            findings.push(Finding::line(path, *line, message));
        } else {
            first.insert(key, *line);
        }
    }
    for case in cases.iter().filter(|case| !first.contains_key(&key(case))) {
        let Case {
            path: at,
            line,
            family,
            name,
            ..
        } = case;
        let message = format!(
            "`{family}::{name}` is not in the list, so nothing runs it ({})",
            path.display()
        );
        findings.push(Finding::line(at, *line, message));
    }
    findings
}

fn key(case: &Case) -> (&str, &str) {
    (&case.family, &case.name)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn parsed(list: &str) -> Result<Vec<Listed>, Vec<String>> {
        let file = TextFile {
            path: "list.rs".into(),
            text: format!("macro_rules! x {{\n    // cases: begin\n{list}    // cases: end\n}}\n"),
        };
        parse(&file).map_err(|findings| texts(&findings))
    }

    fn listed(line: usize, family: &str, name: &str) -> Listed {
        Listed {
            line,
            family: family.to_owned(),
            name: name.to_owned(),
        }
    }

    fn case(family: &str, name: &str) -> Case {
        Case {
            family: family.to_owned(),
            name: name.to_owned(),
            path: format!("{family}.rs").into(),
            line: 7,
            sentence: String::new(),
            catalogue: String::new(),
        }
    }

    #[test]
    fn blocks_of_names_are_read_in_order() {
        let found =
            parsed("append {\n  b,\n\n  // why\n  a, c\n}\nclaim {\n}\nlease { // x\n  a,\n}\n")
                .unwrap();
        let expected = [
            listed(4, "append", "b"),
            listed(7, "append", "a"),
            listed(7, "append", "c"),
            listed(12, "lease", "a"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn another_form_is_told() {
        assert_eq!(
            parsed("a,\nappend {\n  b => c,\n  claim {\n").unwrap_err(),
            [
                "list.rs:3: expected `family {`, `name,` or `}`, found `a,`",
                "list.rs:5: expected `family {`, `name,` or `}`, found `b => c,`",
                "list.rs:6: expected `family {`, `name,` or `}`, found `claim {`",
                "list.rs:7: the block `append` is not closed",
            ]
        );
    }

    #[test]
    fn a_missing_marker_is_told() {
        let file = TextFile {
            path: "list.rs".into(),
            text: "// cases: begin\n".to_owned(),
        };
        let findings = parse(&file).unwrap_err();
        assert_eq!(
            texts(&findings),
            ["list.rs: expected the lines `// cases: begin` and `// cases: end` around the list"]
        );
    }

    #[test]
    fn list_and_cases_must_be_the_same_set() {
        let path = Path::new("list.rs");
        let cases = [case("append", "a"), case("claim", "a")];
        assert_eq!(
            compare(
                path,
                &[listed(1, "claim", "a"), listed(2, "append", "a")],
                &cases
            ),
            []
        );
        let found = compare(
            path,
            &[
                listed(1, "append", "a"),
                listed(2, "append", "a"),
                listed(3, "append", "b"),
            ],
            &cases,
        );
        assert_eq!(
            texts(&found),
            [
                "list.rs:2: `append::a` is in the list already, at line 1",
                "list.rs:3: `append::b` is no case: cases/append.rs has no such `pub async fn`",
                "claim.rs:7: `claim::a` is not in the list, so nothing runs it (list.rs)",
            ]
        );
    }
}
