use std::io;

use serde_json::ser::Formatter;

use crate::text::is_obeyed;

/// JSON on one line whose texts escape all that a terminal would obey: JSON asks for the characters below U+0020 only.
#[derive(Debug)]
pub(super) struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut rest = fragment;
        while let Some((at, control)) = rest.char_indices().find(|(_, c)| is_obeyed(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(control))?;
            rest = &rest[at + control.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;
    use serde_json::Serializer;

    use super::*;

    #[test]
    fn control_characters_are_escaped_and_read_as_they_were() {
        let text = "a\n\u{1b}[2J\u{7f}b\u{9b}31m é日\u{85}";
        let mut written = Vec::new();
        text.serialize(&mut Serializer::with_formatter(&mut written, Visible))
            .unwrap();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(written, r#""a\n\u001b[2J\u007fb\u009b31m é日\u0085""#);
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
