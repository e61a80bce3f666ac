use std::io::{self, BufRead as _, BufReader, Read};

/// The lines of an input, read through a buffer that never grows beyond the longest line allowed.
///
/// A line ends with LF or CR LF, the last one with the input. A byte order mark at the start is not
/// part of the first line.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    limit: usize,
    buffer: Vec<u8>,
    number: u64,
    bytes: u64,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its number, counted from 1.
    pub(crate) number: u64,
    /// Its text without the line break, or why there is none.
    pub(crate) text: Result<&'a str, BadLine>,
}

/// A line that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadLine {
    /// It was passed over without being kept.
    #[error("line has {found} bytes: at most {limit} are read")]
    TooLong {
        /// Its length in bytes, without its line break.
        found: u64,
        /// The greatest length.
        limit: usize,
    },
    /// It is written in something else.
    #[error("line is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The offset of the first byte that does not fit, counted from 0.
        at: usize,
    },
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The longest line break. A line may be this much longer than the limit before it is looked at.
const LINE_BREAK: usize = 2;

impl<R: Read> Lines<R> {
    /// The lines of `input`, each of at most `limit` bytes.
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self {
            input: BufReader::with_capacity(256 * 1024, input),
            limit,
            buffer: Vec::new(),
            number: 0,
            bytes: 0,
        }
    }

    /// The bytes read so far, line breaks included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the next line is here, so that reading it waits for nothing.
    pub(crate) fn has_line_at_hand(&self) -> bool {
        self.input.buffer().contains(&b'\n')
    }

    /// The next line; `None` at the end of the input.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let room = (self.limit + LINE_BREAK) as u64;
        let read = self
            .input
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.bytes += read as u64;
        self.number += 1;
        let mut found = without_line_break(&self.buffer).len() as u64;
        if read as u64 == room && self.buffer.last() != Some(&b'\n') {
            found += self.skip_rest()?;
        }
        let text = if found > self.limit as u64 {
            Err(BadLine::TooLong {
                found,
                limit: self.limit,
            })
        } else {
            let mut line = without_line_break(&self.buffer);
            if self.number == 1 {
                line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
            }
            std::str::from_utf8(line).map_err(|error| BadLine::NotUtf8 {
                at: error.valid_up_to(),
            })
        };
        Ok(Some(Line {
            number: self.number,
            text,
        }))
    }

    /// Passes over the rest of a line that is too long, and gives its length without the line break.
    fn skip_rest(&mut self) -> io::Result<u64> {
        let mut length = 0;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(chunk.len(), |at| at + 1);
            let done = end.is_some() || chunk.is_empty();
            self.input.consume(used);
            self.bytes += used as u64;
            length += used as u64;
            if done {
                return Ok(length - u64::from(end.is_some()));
            }
        }
    }
}

fn without_line_break(line: &[u8]) -> &[u8] {
    match line.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = Vec<(u64, Result<String, BadLine>)>;

    fn read(input: &[u8], limit: usize) -> (Owned, u64) {
        let mut lines = Lines::new(input, limit);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.number, line.text.map(str::to_owned)));
        }
        (all, lines.bytes())
    }

    fn texts(input: &[u8]) -> Vec<String> {
        read(input, 100)
            .0
            .into_iter()
            .map(|(_, text)| text.unwrap())
            .collect()
    }

    #[test]
    fn line_breaks_and_the_byte_order_mark_are_no_content() {
        assert_eq!(texts(b"\xef\xbb\xbfa\r\nb\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(texts(b"a\rb\r\r\n"), ["a\rb\r"]);
        assert_eq!(texts(b""), [""; 0]);
        assert_eq!(texts(b"\n"), [""]);
    }

    #[test]
    fn a_long_line_is_passed_over_and_measured() {
        let (lines, bytes) = read(b"12345\r\n123456\n1234567890123\r\nab", 5);
        assert_eq!(
            lines,
            [
                (1, Ok("12345".into())),
                (2, Err(BadLine::TooLong { found: 6, limit: 5 })),
                (
                    3,
                    Err(BadLine::TooLong {
                        found: 14,
                        limit: 5
                    })
                ),
                (4, Ok("ab".into())),
            ]
        );
        assert_eq!(bytes, 31);
    }

    #[test]
    fn a_long_line_does_not_grow_the_buffer() {
        let input = io::repeat(b'x').take(50_000_000).chain(&b"\nnext"[..]);
        let mut lines = Lines::new(input, 1_000);
        let text = lines.next_line().unwrap().unwrap().text;
        assert_eq!(
            text,
            Err(BadLine::TooLong {
                found: 50_000_000,
                limit: 1_000
            })
        );
        assert!(
            lines.buffer.capacity() < 10_000,
            "{}",
            lines.buffer.capacity()
        );
        assert_eq!(lines.next_line().unwrap().unwrap().text, Ok("next"));
    }

    #[test]
    fn bytes_that_are_no_text_are_located() {
        let (lines, _) = read(b"ok\nab\xff\nok\n", 100);
        assert_eq!(lines[1], (2, Err(BadLine::NotUtf8 { at: 2 })));
        assert_eq!(lines[2], (3, Ok("ok".into())));
    }

    proptest! {
        #[test]
        fn any_bytes_give_every_line_once(
            input in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'x'), Just(0xefu8), any::<u8>()],
                0..200,
            ),
            limit in 1usize..20,
        ) {
            let (lines, bytes) = read(&input, limit);
            prop_assert_eq!(bytes, input.len() as u64);
            let breaks = input.iter().filter(|byte| **byte == b'\n').count();
            let tail = usize::from(!input.is_empty() && input.last() != Some(&b'\n'));
            prop_assert_eq!(lines.len(), breaks + tail);
            for (at, (number, text)) in lines.into_iter().enumerate() {
                prop_assert_eq!(number, at as u64 + 1);
                match text {
                    Ok(text) => prop_assert!(text.len() <= limit && !text.contains('\n')),
                    Err(BadLine::TooLong { found, .. }) => prop_assert!(found > limit as u64),
                    Err(BadLine::NotUtf8 { at }) => prop_assert!(at < limit),
                }
            }
        }
    }
}
