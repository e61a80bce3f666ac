//! The generated table of the cases.

use std::path::Path;

use super::cases::Case;
use super::list::Listed;
use crate::finding::{Finding, Findings};
use crate::text::files::TextFile;

/// The line before the table.
const BEGIN: &str = "<!-- cases: begin -->";
/// The line after the table.
const END: &str = "<!-- cases: end -->";

/// The table, in the order of the list at `path`.
///
/// # Errors
///
/// A finding for each listed name that is no case.
pub(super) fn generate(path: &Path, listed: &[Listed], cases: &[Case]) -> Result<String, Findings> {
    let mut table = String::from("| case | the adapter must | catalogue |\n| --- | --- | --- |\n");
    let mut findings = Vec::new();
    for Listed { line, family, name } in listed {
        let case = cases
            .iter()
            .find(|case| case.family == *family && case.name == *name);
        if let Some(case) = case {
            let sentence = case.sentence.replace('|', "\\|");
            table.push_str(&format!(
                "| `{family}::{name}` | {sentence} | {} |\n",
                case.catalogue
            ));
        } else {
            let message = format!("`{family}::{name}` is no case, so there is no table");
            findings.push(Finding::line(path, *line, message));
        }
    }
    if findings.is_empty() {
        Ok(table)
    } else {
        Err(findings)
    }
}

/// The readme with this table between its markers.
///
/// # Errors
///
/// A finding if the markers are not there, each once and in order.
pub(super) fn splice(readme: &TextFile, table: &str) -> Result<String, Finding> {
    let text = &readme.text;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        (!after.contains(BEGIN) && !after.contains(END)).then_some((before, after))
    });
    let Some((before, after)) = parts else {
        let message = format!(
            "expected `{BEGIN}` and `{END}`, each once and in this order, around the case table"
        );
        return Err(Finding::file(&readme.path, message));
    };
    // Without the empty lines markdown would read the table as a part of the comment.
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

/// The first line where the readme is not the fresh one.
pub(super) fn difference(readme: &TextFile, fresh: &str) -> Option<Finding> {
    if readme.text == fresh {
        return None;
    }
    let same = readme
        .text
        .lines()
        .zip(fresh.lines())
        .take_while(|(old, new)| old == new)
        .count();
    let expected = fresh.lines().nth(same).unwrap_or_default();
    let message = format!("the case table is stale; expected here `{expected}`");
    Some(Finding::line(&readme.path, same + 1, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn case(name: &str, sentence: &str, catalogue: &str) -> Case {
        Case {
            family: "append".to_owned(),
            name: name.to_owned(),
            path: "append.rs".into(),
            line: 1,
            sentence: sentence.to_owned(),
            catalogue: catalogue.to_owned(),
        }
    }

    fn listed(name: &str) -> Listed {
        Listed {
            line: 3,
            family: "append".to_owned(),
            name: name.to_owned(),
        }
    }

    fn readme(text: &str) -> TextFile {
        TextFile {
            path: "README.md".into(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn rows_are_in_the_order_of_the_list() {
        let cases = [case("a", "do a", "A 1, B 2"), case("b", "do `|`", "")];
        let table = generate(Path::new("list.rs"), &[listed("b"), listed("a")], &cases).unwrap();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `append::b` | do `\\|` |  |",
                "| `append::a` | do a | A 1, B 2 |"
            ]
        );
    }

    #[test]
    fn an_unknown_name_is_told() {
        let findings = generate(Path::new("list.rs"), &[listed("x")], &[]).unwrap_err();
        assert_eq!(
            texts(&findings),
            ["list.rs:3: `append::x` is no case, so there is no table"]
        );
    }

    #[test]
    fn the_table_replaces_what_is_between_the_markers_only() {
        let old = readme("a\n<!-- cases: begin -->\nold\n<!-- cases: end -->\nb\n");
        let fresh = splice(&old, "new\n").unwrap();
        assert_eq!(
            fresh,
            "a\n<!-- cases: begin -->\n\nnew\n\n<!-- cases: end -->\nb\n"
        );
        assert_eq!(splice(&readme(&fresh), "new\n").unwrap(), fresh);
        let stale = difference(&old, &fresh).unwrap().to_string();
        assert_eq!(
            stale,
            "README.md:3: the case table is stale; expected here ``"
        );
        assert_eq!(difference(&readme(&fresh), &fresh), None);
    }

    #[test]
    fn missing_double_and_swapped_markers_are_told() {
        let (begin, end) = (BEGIN, END);
        for text in [
            String::new(),
            begin.to_owned(),
            format!("{end}{begin}"),
            format!("{begin}{end}{begin}{end}"),
        ] {
            let finding = splice(&readme(&text), "").unwrap_err().to_string();
            assert!(
                finding.starts_with("README.md: expected `<!-- cases: begin -->`"),
                "{finding}"
            );
        }
    }
}
