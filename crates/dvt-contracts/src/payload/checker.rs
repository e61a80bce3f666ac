//! The one payload checker (RFC 8259), without recursion: depth costs a bit, not a stack frame.
//!
//! A general JSON parser is no substitute: it folds numbers (`1e400`, `-0`), drops duplicate names,
//! or passes lone surrogates and `\u0000` when it only skips a value.

use super::{InvalidPayload, PayloadFault};
use crate::limits::{MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH};

type Checked<T> = Result<T, (usize, PayloadFault)>;

/// The payload's text without surrounding white space.
pub(super) fn check(bytes: &[u8]) -> Result<&str, InvalidPayload> {
    let start = bytes.iter().take_while(|b| is_space(**b)).count();
    let inner = &bytes[start..];
    let end = inner.len() - inner.iter().rev().take_while(|b| is_space(**b)).count();
    let inner = &inner[..end];
    if inner.len() > MAX_PAYLOAD_BYTES {
        return Err(InvalidPayload::TooLarge { found: inner.len() });
    }
    let malformed = |(at, fault)| InvalidPayload::Malformed {
        at: start + at,
        fault,
    };
    let text = std::str::from_utf8(inner)
        .map_err(|error| malformed((error.valid_up_to(), PayloadFault::InvalidUtf8)))?;
    Checker {
        bytes: inner,
        at: 0,
    }
    .document()
    .map_err(malformed)?;
    Ok(text)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

struct Checker<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The open arrays and objects, one bit each.
#[derive(Default)]
struct Nesting {
    depth: usize,
    objects: u64,
}

const _: () = assert!(MAX_PAYLOAD_DEPTH <= u64::BITS as usize);

impl Nesting {
    fn open(&mut self, object: bool) -> bool {
        if self.depth == MAX_PAYLOAD_DEPTH {
            return false;
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(object);
        true
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

impl Checker<'_> {
    fn document(mut self) -> Checked<()> {
        let mut nesting = Nesting::default();
        loop {
            // Here a value is due.
            let opened = match self.peek()? {
                open @ (b'{' | b'[') => {
                    let object = open == b'{';
                    if !nesting.open(object) {
                        return Err((self.at, PayloadFault::TooDeep));
                    }
                    self.at += 1;
                    self.space();
                    let empty = self.peek()? == if object { b'}' } else { b']' };
                    if !empty && object {
                        self.name()?;
                    }
                    !empty
                }
                b'"' => self.string().map(|()| false)?,
                b'-' | b'0'..=b'9' => self.number().map(|()| false)?,
                b't' => self.word(b"true").map(|()| false)?,
                b'f' => self.word(b"false").map(|()| false)?,
                b'n' => self.word(b"null").map(|()| false)?,
                _ => return Err((self.at, PayloadFault::Syntax)),
            };
            if opened {
                continue;
            }
            // Here a value has ended: close what ends with it, or go on to the next one.
            loop {
                self.space();
                if nesting.depth == 0 {
                    return match self.bytes.get(self.at) {
                        None => Ok(()),
                        Some(_) => Err((self.at, PayloadFault::TrailingData)),
                    };
                }
                match (self.peek()?, nesting.in_object()) {
                    (b',', object) => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.name()?;
                        }
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        nesting.close();
                    }
                    _ => return Err((self.at, PayloadFault::Syntax)),
                }
            }
        }
    }

    fn peek(&self) -> Checked<u8> {
        self.bytes
            .get(self.at)
            .copied()
            .ok_or((self.at, PayloadFault::UnexpectedEnd))
    }

    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(|b| is_space(*b)) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Checked<()> {
        if self.peek()? != byte {
            return Err((self.at, PayloadFault::Syntax));
        }
        self.at += 1;
        Ok(())
    }

    /// A member name and its colon.
    fn name(&mut self) -> Checked<()> {
        self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Checked<()> {
        word.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn digits(&mut self) -> Checked<()> {
        if !self.peek()?.is_ascii_digit() {
            return Err((self.at, PayloadFault::Syntax));
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Checked<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn string(&mut self) -> Checked<()> {
        self.expect(b'"')?;
        loop {
            let begin = self.at;
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                0x00..=0x1f => return Err((begin, PayloadFault::ControlCharacter)),
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            self.at += 1;
                            self.unicode_escape(begin)?;
                        }
                        _ => return Err((self.at, PayloadFault::Syntax)),
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// The rest of a `\uXXXX` that begins at `begin`, with its other half where it is a surrogate.
    fn unicode_escape(&mut self, begin: usize) -> Checked<()> {
        let lone = (begin, PayloadFault::LoneSurrogate);
        match self.hex4()? {
            0 => Err((begin, PayloadFault::NulCharacter)),
            0xdc00..=0xdfff => Err(lone),
            0xd800..=0xdbff => {
                if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Err(lone);
                }
                self.at += 2;
                match self.hex4()? {
                    0xdc00..=0xdfff => Ok(()),
                    _ => Err(lone),
                }
            }
            _ => Ok(()),
        }
    }

    fn hex4(&mut self) -> Checked<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()?)
                .to_digit(16)
                .ok_or((self.at, PayloadFault::Syntax))?;
            value = value << 4 | digit;
            self.at += 1;
        }
        Ok(value)
    }
}
