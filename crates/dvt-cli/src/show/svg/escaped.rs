use std::fmt::{self, Write as _};

use crate::text::is_obeyed;

/// A text inside an XML document: what has a meaning there is escaped, what is not allowed there is replaced.
#[derive(Debug)]
pub(super) struct Escaped<T>(pub(super) T);

impl<T: AsRef<str>> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.as_ref().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\n' => f.write_char(c)?,
                c if is_obeyed(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                    f.write_char('\u{fffd}')?;
                }
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            Escaped("</text><script a=\"&amp;\">\u{0}\u{1b}[2J\u{9b}\u{fffe}\u{202e}é日\n")
                .to_string(),
            "&lt;/text&gt;&lt;script a=&quot;&amp;amp;&quot;&gt;\u{fffd}\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}é日\n"
        );
    }
}
