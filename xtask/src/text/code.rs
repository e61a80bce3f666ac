//! Rust sources without what is not code.

/// The source with every comment and the inside of every literal turned into blanks. Lines stay where they are, so
/// that a rule about code can be a search that no comment, message or fixture can set off.
pub(crate) fn only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match token(&chars, at) {
            Token::Code => {
                out.extend(chars.get(at));
                at += 1;
                continue;
            }
            Token::Comment(end) => {
                blank(&chars, at, end, &mut out);
                end
            }
            Token::Literal { open, close, end } => {
                // The quotes stay, so that a literal is still seen to be there.
                out.extend(chars.iter().take(open).skip(at));
                blank(&chars, open, close, &mut out);
                out.extend(chars.iter().take(end).skip(close));
                end
            }
        };
        at = end;
    }
    out
}

/// What begins at a place, and where it ends (the place after it).
enum Token {
    Code,
    Comment(usize),
    Literal {
        open: usize,
        close: usize,
        end: usize,
    },
}

fn token(chars: &[char], at: usize) -> Token {
    let char_at = |place: usize| chars.get(place).copied();
    let in_word = at > 0 && char_at(at - 1).is_some_and(is_word);
    match (char_at(at), char_at(at + 1)) {
        (Some('/'), Some('/')) => Token::Comment(find(chars, at, |rest| rest.starts_with(&['\n']))),
        (Some('/'), Some('*')) => Token::Comment(block_comment_end(chars, at)),
        (Some('"'), _) => string(chars, at + 1),
        (Some('r'), Some('"' | '#')) if !in_word || char_at(at - 1) == Some('b') => {
            raw_string(chars, at)
        }
        // A lifetime has no quote two places on, or has one only after a name.
        (Some('\''), Some('\\')) => {
            let close = find(chars, at + 3, |rest| rest.starts_with(&['\'']));
            literal(chars, at + 1, close, 1)
        }
        (Some('\''), Some(_)) if char_at(at + 2) == Some('\'') => literal(chars, at + 1, at + 2, 1),
        _ => Token::Code,
    }
}

fn string(chars: &[char], open: usize) -> Token {
    let mut close = open;
    while let Some(&c) = chars.get(close) {
        match c {
            '"' => break,
            '\\' => close += 2,
            _ => close += 1,
        }
    }
    literal(chars, open, close, 1)
}

fn raw_string(chars: &[char], at: usize) -> Token {
    let hashes = chars.iter().skip(at + 1).take_while(|c| **c == '#').count();
    let open = at + 1 + hashes + 1;
    if chars.get(open - 1) != Some(&'"') {
        // A raw identifier such as `r#type`.
        return Token::Code;
    }
    let mut ending = vec!['"'];
    ending.resize(1 + hashes, '#');
    let close = find(chars, open, |rest| rest.starts_with(&ending));
    literal(chars, open, close, ending.len())
}

fn literal(chars: &[char], open: usize, close: usize, quotes: usize) -> Token {
    let close = close.min(chars.len());
    Token::Literal {
        open,
        close,
        end: (close + quotes).min(chars.len()),
    }
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut end) = (0_usize, at);
    while end < chars.len() {
        match (chars.get(end), chars.get(end + 1)) {
            (Some('/'), Some('*')) => (depth, end) = (depth + 1, end + 2),
            (Some('*'), Some('/')) => (depth, end) = (depth.saturating_sub(1), end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end.min(chars.len())
}

fn find(chars: &[char], from: usize, here: impl Fn(&[char]) -> bool) -> usize {
    let mut at = from.min(chars.len());
    while chars
        .get(at..)
        .is_some_and(|rest| !rest.is_empty() && !here(rest))
    {
        at += 1;
    }
    at
}

fn blank(chars: &[char], from: usize, to: usize, out: &mut String) {
    let inside = chars.iter().take(to).skip(from);
    out.extend(inside.map(|c| if *c == '\n' { '\n' } else { ' ' }));
}

/// Whether a character can be part of an identifier.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The places (in bytes) where a word stands in a text, as a whole word.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let before = text.get(..*at).and_then(|text| text.chars().next_back());
            let after = text
                .get(at + word.len()..)
                .and_then(|text| text.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
}

/// The line, counted from 1, of a place in a text.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_the_inside_of_literals_become_blanks() {
        assert_eq!(only("a // b\nc"), "a     \nc");
        assert_eq!(only("a /* b /* c\n */ d */ e"), "a          \n         e");
        assert_eq!(
            only(r#"f("x\"y", 'z', '\'', b"q") // "r"#),
            r#"f("    ", ' ', '  ', b" ")      "#
        );
        assert_eq!(only("r#\"a\"b\"# c r#type"), "r#\"   \"# c r#type");
        assert_eq!(only("br\"a\" c"), "br\" \" c");
    }

    #[test]
    fn lifetimes_and_unfinished_literals_do_not_swallow_code() {
        assert_eq!(
            only("fn f<'a>(x: &'a str) -> &'a str"),
            "fn f<'a>(x: &'a str) -> &'a str"
        );
        assert_eq!(only("\"abc"), "\"   ");
        assert_eq!(only("'\\"), "'\\".replace('\\', " "));
        assert_eq!(only("/* a"), "    ");
        assert_eq!(only("\"a\\"), "\"  ");
    }

    #[test]
    fn words_are_whole_words() {
        assert_eq!(words("fn fns afn (fn", "fn").collect::<Vec<_>>(), [0, 12]);
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }
}
