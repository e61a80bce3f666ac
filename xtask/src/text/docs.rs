//! Doc comments.

/// A doc comment and what it documents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DocBlock {
    /// The lines of the comment without their slashes, each with its number in the file, counted from 1.
    pub(crate) lines: Vec<(usize, String)>,
    /// The number of the first line of the item below, if there is one.
    pub(crate) item: Option<usize>,
}

/// A paragraph: its first line's number and its text, joined with single blanks.
pub(crate) type Paragraph = (usize, String);

/// The doc comments of a source, in order.
pub(crate) fn blocks(source: &str) -> Vec<DocBlock> {
    let mut blocks = Vec::new();
    let mut open = DocBlock::default();
    let mut inner = false;
    let mut brackets = 0_i32;
    for (number, line) in (1..).zip(source.lines()) {
        let line = line.trim();
        if brackets > 0 {
            brackets += balance(line);
        } else if let Some((text, is_inner)) = doc_text(line) {
            if is_inner != inner && !open.lines.is_empty() {
                blocks.push(std::mem::take(&mut open));
            }
            inner = is_inner;
            open.lines.push((number, text.to_owned()));
        } else if line.starts_with("#[") {
            // An attribute may stand between a comment and its item, over several lines.
            brackets = balance(line);
        } else if !line.is_empty() && !line.starts_with("//") && !open.lines.is_empty() {
            // An inner comment belongs to what is around it, not to what comes next.
            open.item = (!inner).then_some(number);
            blocks.push(std::mem::take(&mut open));
        }
    }
    if !open.lines.is_empty() {
        blocks.push(open);
    }
    blocks
}

/// The text of a doc line, and whether it is an inner one (`//!`).
pub(crate) fn doc_text(line: &str) -> Option<(&str, bool)> {
    let line = line.trim_start();
    if let Some(text) = line.strip_prefix("//!") {
        return Some((text, true));
    }
    // Four slashes make an ordinary comment.
    let text = line
        .strip_prefix("///")
        .filter(|text| !text.starts_with('/'))?;
    Some((text, false))
}

/// The paragraphs of a doc comment.
pub(crate) fn paragraphs(block: &DocBlock) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let mut open = false;
    for (number, line) in &block.lines {
        let text = squeezed(line);
        match paragraphs.last_mut() {
            _ if text.is_empty() => open = false,
            Some((_, paragraph)) if open => {
                paragraph.push(' ');
                paragraph.push_str(&text);
            }
            _ => {
                paragraphs.push((*number, text));
                open = true;
            }
        }
    }
    paragraphs
}

/// A text with each run of white space as one blank, and none at its ends.
pub(crate) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn balance(line: &str) -> i32 {
    line.chars()
        .map(|c| i32::from(c == '[') - i32::from(c == ']'))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_at_its_item() {
        let source = "//! Module.\n\n/// One\n/// two.\n#[cfg(\n  x\n)]\npub fn f() {}\nfn g() {}\n/// Three.\n";
        let found = blocks(source);
        let items: Vec<_> = found.iter().map(|block| block.item).collect();
        assert_eq!(items, [None, Some(8), None]);
        assert_eq!(
            found[1].lines,
            [(3, " One".to_owned()), (4, " two.".to_owned())]
        );
    }

    #[test]
    fn an_ordinary_comment_is_no_doc_line() {
        assert_eq!(blocks("// a\n//// b\nfn f() {}\n"), []);
    }

    #[test]
    fn paragraphs_are_joined_with_single_blanks() {
        let block = &blocks("///  One\n///   two.\n///\n///\n/// Three.\nfn f() {}")[0];
        assert_eq!(
            paragraphs(block),
            [(1, "One two.".to_owned()), (5, "Three.".to_owned())]
        );
    }
}
