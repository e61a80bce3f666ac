use zeroize::Zeroizing;

/// Of a receiver's answer this many bytes are kept at most.
const MAX_EXCERPT_BYTES: usize = 1024;

/// What must not be shown, not even when a receiver sends it back to us.
#[derive(Clone, Default)]
pub(crate) struct Redaction(Vec<Zeroizing<String>>);

impl Redaction {
    /// Too short a text is no secret, and would make holes everywhere.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= 4 {
            self.0.push(Zeroizing::new(secret.to_owned()));
            // The longest first: one may be a part of another.
            self.0.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// The beginning of a receiver's answer, on one line and without secrets.
    pub(crate) fn excerpt(&self, answer: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(answer).into_owned();
        for secret in &self.0 {
            text = text.replace(secret.as_str(), "[redacted]");
        }
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        let mut line = words.join(" ");
        line.truncate(line.floor_char_boundary(MAX_EXCERPT_BYTES));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_one_short_line_without_secrets() {
        let mut redaction = Redaction::default();
        redaction.add("Bearer abcdef");
        redaction.add("abcdef");
        redaction.add("no");

        assert_eq!(
            redaction.excerpt(b" not\r\n\x1b[31mfound:\0 Bearer abcdef, abcdef \xff "),
            "not [31mfound: [redacted], [redacted] \u{fffd}"
        );
        let long = redaction.excerpt("é".repeat(1_000_000).as_bytes());
        assert_eq!(long, "é".repeat(512));
    }
}
