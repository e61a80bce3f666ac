//! A file is about one thing.

use crate::finding::{Finding, Findings};
use crate::text::files::TextFile;

/// As many lines as a file may have.
const MAX_LINES: usize = 450;

/// Checks one file.
pub(super) fn of(file: &TextFile) -> Findings {
    let lines = file.text.lines().count();
    let message = format!("expected at most {MAX_LINES} lines, found {lines}; split it");
    let finding = (lines > MAX_LINES).then(|| Finding::file(&file.path, message));
    finding.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    #[test]
    fn one_line_too_many_is_told() {
        let file = |lines| TextFile {
            path: "x.rs".into(),
            text: "\n".repeat(lines),
        };
        assert_eq!(of(&file(450)), []);
        assert_eq!(
            texts(&of(&file(451))),
            ["x.rs: expected at most 450 lines, found 451; split it"]
        );
    }
}
