use proptest::prelude::{Strategy, any};
use proptest::prop_oneof;
use proptest::sample::{Index, select};

/// No damaged input is longer.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// What readers stumble over.
const PIECES: [&[u8]; 28] = [
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\r\n",
    b"\n",
    b"\t",
    b" ",
    b"|",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"1e400",
    b"-0",
    b"null",
    b"@",
    b"%00",
    b"://",
];

/// One way to break bytes. Places are fractions of whatever length there is.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Flip {
        at: Index,
        bit: u8,
    },
    Cut {
        at: Index,
    },
    Remove {
        from: Index,
        to: Index,
    },
    Insert {
        at: Index,
        piece: &'static [u8],
        times: usize,
    },
    /// A part comes again, which doubles members, lines and whole structures.
    Repeat {
        from: Index,
        to: Index,
        times: usize,
    },
    /// A part of another input, put in anywhere.
    Splice {
        at: Index,
        of: Index,
        from: Index,
        to: Index,
    },
}

impl Damage {
    pub(crate) fn strategy() -> impl Strategy<Value = Self> {
        let place = any::<Index>;
        let times = prop_oneof![4 => 1..=2_usize, 1 => 50..=200_usize];
        let pieces = (place(), select(PIECES.to_vec()), times.clone());
        let parts = (place(), place(), place(), place());
        prop_oneof![
            2 => (place(), 0..8_u8).prop_map(|(at, bit)| Self::Flip { at, bit }),
            1 => place().prop_map(|at| Self::Cut { at }),
            2 => (place(), place()).prop_map(|(from, to)| Self::Remove { from, to }),
            4 => pieces.prop_map(|(at, piece, times)| Self::Insert { at, piece, times }),
            2 => (place(), place(), times).prop_map(|(from, to, times)| Self::Repeat { from, to, times }),
            2 => parts.prop_map(|(at, of, from, to)| Self::Splice { at, of, from, to }),
        ]
    }

    pub(crate) fn apply<I: AsRef<[u8]>>(&self, bytes: &mut Vec<u8>, inputs: &[I]) {
        match self {
            Self::Flip { .. } if bytes.is_empty() => {}
            Self::Flip { at, bit } => *at.get_mut(bytes) ^= 1 << bit,
            Self::Cut { at } => bytes.truncate(place(at, bytes)),
            Self::Remove { from, to } => drop(bytes.drain(part(from, to, bytes))),
            Self::Insert { at, piece, times } => put(bytes, at, &piece.repeat(*times)),
            Self::Repeat { from, to, times } => {
                let part = part(from, to, bytes);
                let again = bytes[part].to_vec();
                let times = (*times).min(MAX_BYTES / again.len().max(1));
                put(bytes, to, &again.repeat(times));
            }
            Self::Splice { at, of, from, to } => {
                let other = of.get(inputs).as_ref();
                put(bytes, at, &other[part(from, to, other)]);
            }
        }
    }
}

fn place(at: &Index, bytes: &[u8]) -> usize {
    at.index(bytes.len() + 1)
}

fn part(from: &Index, to: &Index, bytes: &[u8]) -> std::ops::Range<usize> {
    let (from, to) = (place(from, bytes), place(to, bytes));
    from.min(to)..from.max(to)
}

fn put(bytes: &mut Vec<u8>, at: &Index, more: &[u8]) {
    let at = place(at, bytes);
    bytes.splice(at..at, more.iter().copied());
}
