//! Whether a text is JSON.

/// How deep the values of one text may be nested.
const DEEPEST: usize = 64;

/// The line of the first fault in what should be one JSON value (RFC 8259), and what was expected there.
///
/// Strings are read as far as is needed to find their end, numbers as words of their characters.
pub(crate) fn fault(text: &str) -> Option<(usize, &'static str)> {
    let mut reader = Reader { text, at: 0 };
    let read = reader.value(0).and_then(|()| {
        reader.blanks();
        reader.at_end().then_some(()).ok_or("the end")
    });
    let line = text.get(..reader.at).unwrap_or(text).matches('\n').count() + 1;
    read.err().map(|expected| (line, expected))
}

/// How far a text is read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Read = Result<(), &'static str>;

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Read {
        if depth > DEEPEST {
            return Err("fewer levels");
        }
        self.blanks();
        match self.peek() {
            Some('{') => self.list('}', "`,` or `}`", |reader| {
                reader.blanks();
                reader.string()?;
                reader.blanks();
                reader.take(':').then_some(()).ok_or("`:`")?;
                reader.value(depth + 1)
            }),
            Some('[') => self.list(']', "`,` or `]`", |reader| reader.value(depth + 1)),
            Some('"') => self.string(),
            _ => self.word(),
        }
    }

    fn list(
        &mut self,
        end: char,
        expected: &'static str,
        mut item: impl FnMut(&mut Self) -> Read,
    ) -> Read {
        self.at += 1;
        self.blanks();
        if self.take(end) {
            return Ok(());
        }
        loop {
            item(self)?;
            self.blanks();
            if self.take(end) {
                return Ok(());
            }
            self.take(',').then_some(()).ok_or(expected)?;
        }
    }

    fn string(&mut self) -> Read {
        self.take('"').then_some(()).ok_or("a string")?;
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            match next {
                '"' => return Ok(()),
                '\\' => self.at += self.peek().map_or(0, char::len_utf8),
                '\0'..='\u{1f}' => break,
                _ => {}
            }
        }
        Err("the end of a string")
    }

    /// `true`, `false`, `null`, or a number.
    fn word(&mut self) -> Read {
        let rest = &self.text[self.at..];
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let is_number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && word.ends_with(|c: char| c.is_ascii_digit())
            && word.parse::<f64>().is_ok();
        if !is_number && !matches!(word, "true" | "false" | "null") {
            return Err("a value");
        }
        self.at += length;
        Ok(())
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.at += wanted.len_utf8();
        }
        is_next
    }

    fn at_end(&self) -> bool {
        self.at == self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_pass() {
        for text in [
            "{}",
            " [ ] ",
            "{\"a\": [1, -2.5e3, true, null], \"b\\\"\": {\"ü\": \"\\u00fc\"}}\n",
            "0",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn faults_are_told_with_their_line() {
        for (text, expected) in [
            ("", (1, "a value")),
            ("{\n\"a\": 1,\n}", (3, "a string")),
            ("{\"a\" 1}", (1, "`:`")),
            ("[1\n2]", (2, "`,` or `]`")),
            ("{\"a\": 1]", (1, "`,` or `}`")),
            ("\"a", (1, "the end of a string")),
            ("{} {}", (1, "the end")),
            ("[nan]", (1, "a value")),
            ("[1.]", (1, "a value")),
        ] {
            assert_eq!(fault(text), Some(expected), "{text}");
        }
        assert_eq!(fault(&"[".repeat(100_000)), Some((1, "fewer levels")));
    }
}
