use std::fmt;

use crate::limits::MAX_TEXT_BYTES;

/// A text that every store can hold, made from anything: an error message, an operator's reason.
///
/// NUL and invalid UTF-8 become U+FFFD; at most [`MAX_TEXT_BYTES`] bytes are kept, cut between
/// characters. Making one never fails, so a strange error text can never block a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SafeText(String);

impl SafeText {
    /// Sanitises the bytes.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        // A replaced character takes up to three bytes, so no more input than this can be kept;
        // the four bytes more are for a character that the cut would split.
        let head = &bytes[..bytes.len().min(MAX_TEXT_BYTES + 4)];
        let mut text = String::from_utf8_lossy(head).replace('\0', "\u{fffd}");
        if text.len() > MAX_TEXT_BYTES {
            let cut = (0..=MAX_TEXT_BYTES)
                .rev()
                .find(|at| text.is_char_boundary(*at));
            text.truncate(cut.unwrap_or(0));
        }
        Self(text)
    }

    /// The sanitised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafeText({:?})", self.0)
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for SafeText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters_and_replaces_what_no_store_can_hold() {
        assert_eq!(SafeText::new(b"a\0b\xffc").as_str(), "a\u{fffd}b\u{fffd}c");

        let long = SafeText::new("é".repeat(MAX_TEXT_BYTES));
        assert_eq!(long.as_str(), "é".repeat(MAX_TEXT_BYTES / 2));

        let replaced = SafeText::new(vec![0u8; 10_000_000]);
        assert_eq!(replaced.as_str().len(), MAX_TEXT_BYTES / 3 * 3);
        assert!(replaced.as_str().chars().all(|c| c == '\u{fffd}'));
    }
}
