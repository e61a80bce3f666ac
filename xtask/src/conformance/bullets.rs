//! What the ports say that an adapter must do.

use std::path::PathBuf;

use crate::finding::{Finding, Findings};
use crate::text::docs::{self, DocBlock};
use crate::text::files::TextFile;

/// The heading over the obligations of an adapter.
const HEADING: &str = "Adapter must";

/// One obligation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bullet {
    /// The file, relative to the root.
    pub(super) path: PathBuf,
    /// The line where it begins.
    pub(super) line: usize,
    /// Its words, with single blanks.
    pub(super) text: String,
}

/// The bullets of a source.
///
/// # Errors
///
/// A finding for each heading without bullets.
pub(super) fn of(file: &TextFile) -> Result<Vec<Bullet>, Findings> {
    let mut bullets = Vec::new();
    let mut findings = Vec::new();
    for block in docs::blocks(&file.text) {
        let (heading, found) = of_block(&block);
        if let (Some(line), true) = (heading, found.is_empty()) {
            findings.push(Finding::line(
                &file.path,
                line,
                "expected bullets under `# Adapter must`, found none",
            ));
        }
        bullets.extend(found.into_iter().map(|(line, text)| Bullet {
            path: file.path.clone(),
            line,
            text: docs::squeezed(&text),
        }));
    }
    if findings.is_empty() {
        Ok(bullets)
    } else {
        Err(findings)
    }
}

/// The line of the heading, if there is one, and the list items under it.
fn of_block(block: &DocBlock) -> (Option<usize>, Vec<(usize, String)>) {
    let mut heading = None;
    let mut found: Vec<(usize, String)> = Vec::new();
    // Whether we are under the heading, in an item, in a code block (where `# ` hides a line and is no heading).
    let (mut under, mut in_item, mut fenced) = (false, false, false);
    for (line, text) in &block.lines {
        let text = text.trim();
        fenced ^= text.starts_with("```");
        if let (false, Some(title)) = (fenced, title(text)) {
            under = title == HEADING;
            in_item = false;
            if under {
                heading = Some(*line);
            }
        } else if !under || text.is_empty() {
            in_item = false;
        } else if let Some(item) = text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")) {
            found.push((*line, item.to_owned()));
            in_item = true;
        } else if let (true, Some((_, item))) = (in_item, found.last_mut()) {
            item.push(' ');
            item.push_str(text);
        }
    }
    (heading, found)
}

/// The title of a heading of any level.
fn title(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    (title.len() < line.len() && title.starts_with(' ')).then(|| title.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn file(text: &str) -> TextFile {
        TextFile {
            path: "store.rs".into(),
            text: text.to_owned(),
        }
    }

    fn found(text: &str) -> Vec<(usize, String)> {
        let bullets = of(&file(text)).unwrap();
        bullets
            .into_iter()
            .map(|bullet| (bullet.line, bullet.text))
            .collect()
    }

    #[test]
    fn items_under_the_heading_are_bullets_with_their_continuation() {
        let text = "\
/// A port.
///
/// - no bullet
///
/// # Adapter must
///
/// - do this
/// - do  that,
///   wholly
///
/// Prose.
///
/// - do more
///
/// # Errors
///
/// - no bullet either
trait P {
    /// # Adapter must
    /// - be indented
    fn f();
}
";
        let expected = [
            (7, "do this"),
            (8, "do that, wholly"),
            (13, "do more"),
            (20, "be indented"),
        ];
        assert_eq!(
            found(text),
            expected.map(|(line, text)| (line, text.to_owned()))
        );
    }

    #[test]
    fn a_hidden_line_of_an_example_is_no_heading() {
        let text = "/// # Adapter must\n/// - a\n///\n/// ```\n/// # use x;\n/// ```\n///\n/// - b\nfn f();";
        assert_eq!(found(text).len(), 2);
    }

    #[test]
    fn a_heading_without_bullets_is_told() {
        let findings = of(&file("/// # Adapter must\n///\n/// do it\nfn f();")).unwrap_err();
        assert_eq!(
            texts(&findings),
            ["store.rs:1: expected bullets under `# Adapter must`, found none"]
        );
    }
}
