/// Finds where JSON objects begin and end that stretch over lines.
#[derive(Debug, Default)]
pub(super) struct Documents {
    text: String,
    /// The line on which it begins.
    line: u64,
    depth: u64,
    in_string: bool,
    is_escaped: bool,
    /// Whether it has become too long: it is then only passed over.
    is_too_long: bool,
    /// Whether its first line is a brace and nothing else: then all others are indented, but for the last one.
    is_indented: bool,
}

/// A whole object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// The line on which it begins, counted from 1.
    pub(super) line: u64,
    /// All of it.
    pub(super) text: String,
}

/// More than any history has, in bytes.
pub(super) const LIMIT: usize = 128 * 1024 * 1024;

impl Documents {
    /// Gives up an object that a new one interrupts: it was cut short, and what follows is another. The answer is the line on
    /// which it began.
    pub(super) fn interrupted_by(&mut self, line: &str) -> Option<u64> {
        let is_cut = self.depth > 0 && self.is_indented && line.trim_ascii_end() == "{";
        is_cut.then(|| std::mem::take(self).line)
    }

    /// Takes from the rest of a line up to the end of an object, or all of it. The error is a line and what is wrong there.
    pub(super) fn take(
        &mut self,
        number: u64,
        rest: &mut &str,
    ) -> Result<Option<Document>, (u64, String)> {
        if self.depth == 0 {
            let begin = rest.trim_ascii_start();
            if begin.is_empty() {
                *rest = "";
                return Ok(None);
            }
            if !begin.starts_with('{') {
                *rest = "";
                return Err((
                    number,
                    "expected a workflow history as temporal workflow show -o json prints it, found other text"
                        .into(),
                ));
            }
            self.is_indented = rest.trim_ascii_end() == "{";
            *rest = begin;
            self.line = number;
        }
        let end = self.end(rest);
        let (taken, left) = rest.split_at(end.unwrap_or(rest.len()));
        *rest = left;
        if self.text.len() + taken.len() > LIMIT {
            self.is_too_long = true;
            self.text = String::new();
        }
        if !self.is_too_long {
            self.text.push_str(taken);
            self.text.push('\n');
        }
        if end.is_none() {
            return Ok(None);
        }
        let text = std::mem::take(&mut self.text);
        if std::mem::take(&mut self.is_too_long) {
            let reason = format!("the history that begins here is larger than {LIMIT} bytes");
            return Err((self.line, reason));
        }
        Ok(Some(Document {
            line: self.line,
            text,
        }))
    }

    /// The line on which an object begins that has not ended.
    pub(super) fn unfinished(&self) -> Option<u64> {
        (self.depth > 0).then_some(self.line)
    }

    /// Where in the text the object ends, if it does.
    fn end(&mut self, text: &str) -> Option<usize> {
        for (at, byte) in text.bytes().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object with its line, or the line that is wrong.
    type Found = Result<(u64, String), u64>;

    fn found(lines: &[&str]) -> (Vec<Found>, Option<u64>) {
        let mut documents = Documents::default();
        let mut found = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let mut rest = *line;
            while !rest.is_empty() {
                match documents.take(at as u64 + 1, &mut rest) {
                    Ok(None) => {}
                    Ok(Some(Document { line, text })) => {
                        found.push(Ok((line, text.trim_end().to_owned())));
                    }
                    Err((line, _)) => found.push(Err(line)),
                }
            }
        }
        (found, documents.unfinished())
    }

    #[test]
    fn objects_end_where_they_end_and_nowhere_else() {
        let (documents, unfinished) =
            found(&["{", r#""a": "}\"{", "b": [1, {}]"#, "}", "{}{}", "  {"]);
        assert_eq!(
            documents,
            [
                Ok((1, "{\n\"a\": \"}\\\"{\", \"b\": [1, {}]\n}".to_owned())),
                Ok((4, "{}".to_owned())),
                Ok((4, "{}".to_owned()))
            ]
        );
        assert_eq!(unfinished, Some(5));
    }

    #[test]
    fn other_text_is_passed_over_line_by_line() {
        let (documents, unfinished) = found(&["Error: not found", "{}", "]", "{}"]);
        assert_eq!(
            documents,
            [
                Err(1),
                Ok((2, "{}".to_owned())),
                Err(3),
                Ok((4, "{}".to_owned()))
            ]
        );
        assert_eq!(unfinished, None);
    }
}
