//! The cases of the suite, as their sources tell of them.

use std::path::PathBuf;

use crate::finding::{Finding, Findings};
use crate::text::code::is_word;
use crate::text::docs::{self, DocBlock};
use crate::text::files::TextFile;

/// How a case begins in its file.
const SIGNATURE: &str = "pub async fn ";
/// How the paragraph begins that cites the test catalogue.
const CITATION: &str = "CASES:";

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// The name of its file.
    pub(super) family: String,
    /// The name of its function.
    pub(super) name: String,
    /// The file, relative to the root.
    pub(super) path: PathBuf,
    /// The line of the function.
    pub(super) line: usize,
    /// The first paragraph of its doc comment: what the adapter must do. Empty if there is none.
    pub(super) sentence: String,
    /// The rows of the test catalogue that it covers, such as `A 1, M 110`. Empty if it cites none.
    pub(super) catalogue: String,
}

/// The cases of a file, and what is wrong with what they say of themselves.
pub(super) fn of(file: &TextFile) -> (Vec<Case>, Findings) {
    let family = file.path.file_stem().unwrap_or_default().to_string_lossy();
    let blocks = docs::blocks(&file.text);
    let mut cases = Vec::new();
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(file.text.lines()) {
        let Some(rest) = text.strip_prefix(SIGNATURE) else {
            continue;
        };
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        let block = blocks.iter().find(|block| block.item == Some(line));
        let told = block.map(told).unwrap_or_default();
        findings.extend(
            told.fault
                .map(|(line, message)| Finding::line(&file.path, line, message)),
        );
        if told.sentence.is_empty() {
            findings.push(Finding::line(
                &file.path,
                line,
                format!("case `{name}` has no doc comment"),
            ));
        }
        cases.push(Case {
            family: family.clone().into_owned(),
            name,
            path: file.path.clone(),
            line,
            sentence: told.sentence,
            catalogue: told.catalogue,
        });
    }
    (cases, findings)
}

/// What a case's doc comment tells.
#[derive(Default)]
struct Told {
    sentence: String,
    catalogue: String,
    fault: Option<(usize, String)>,
}

fn told(block: &DocBlock) -> Told {
    let mut told = Told::default();
    for (place, (line, text)) in docs::paragraphs(block).into_iter().enumerate() {
        match (place, text.strip_prefix(CITATION)) {
            (0, None) => told.sentence = text,
            (1, Some(rows)) => match cited(rows) {
                Some(rows) => told.catalogue = rows,
                None => {
                    let message =
                        format!("expected rows such as `{CITATION} A 1, M 110.`, found `{text}`");
                    told.fault = Some((line, message));
                }
            },
            (_, Some(_)) => {
                told.fault = Some((
                    line,
                    format!("`{CITATION}` must begin the second paragraph"),
                ));
            }
            // Further paragraphs are free: how the case goes about it, and why.
            (_, None) => {}
        }
    }
    told
}

/// The rows in ` A 1, M 110.`, if that is what it is.
fn cited(text: &str) -> Option<String> {
    let rows = text.trim().strip_suffix('.')?;
    let is_row = |row: &str| {
        row.split_once(' ').is_some_and(|(family, number)| {
            family.len() == 1
                && family.chars().all(|c| c.is_ascii_uppercase())
                && number.parse::<u32>().is_ok()
        })
    };
    rows.split(", ").all(is_row).then(|| rows.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn found(text: &str) -> (Vec<Case>, Vec<String>) {
        let (cases, findings) = of(&TextFile {
            path: "cases/append.rs".into(),
            text: text.to_owned(),
        });
        (cases, texts(&findings))
    }

    #[test]
    fn a_case_tells_its_sentence_and_its_rows() {
        let (cases, findings) = found(
            "/// keep\n/// it\n///\n/// CASES: A 1, M 110.\n///\n/// How.\n#[expect(x)]\npub async fn keeps<H>(h: &H) {}\n\
             /// help\npub(crate) async fn helper() {}\n",
        );
        assert_eq!(findings, [""; 0]);
        let expected = Case {
            family: "append".to_owned(),
            name: "keeps".to_owned(),
            path: "cases/append.rs".into(),
            line: 8,
            sentence: "keep it".to_owned(),
            catalogue: "A 1, M 110".to_owned(),
        };
        assert_eq!(cases, [expected]);
    }

    #[test]
    fn a_case_without_words_is_told() {
        let (_, findings) = found("/// other\nfn f() {}\npub async fn bare() {}\n");
        assert_eq!(
            findings,
            ["cases/append.rs:3: case `bare` has no doc comment"]
        );
    }

    #[test]
    fn a_malformed_or_misplaced_citation_is_told() {
        for rows in ["A 1", "A1.", "a 1.", "A 1 M 2.", "A one.", "."] {
            let (_, findings) = found(&format!(
                "/// keep it\n///\n/// CASES: {rows}\npub async fn keeps() {{}}\n"
            ));
            assert_eq!(findings.len(), 1, "{rows}");
            assert!(
                findings[0].starts_with("cases/append.rs:3: expected rows such as"),
                "{findings:?}"
            );
        }
        let late = "/// keep it\n///\n/// How.\n///\n/// CASES: A 1.\npub async fn keeps() {}\n";
        assert_eq!(
            found(late).1,
            ["cases/append.rs:5: `CASES:` must begin the second paragraph"]
        );
    }
}
