use std::fmt;
use std::sync::Arc;

use crate::limits::{MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH};

mod checker;

/// A JSON value, kept byte for byte without the white space around it.
///
/// RFC 8259 with any number syntax (`1e100000` stays as written), at most [`MAX_PAYLOAD_BYTES`],
/// nested at most [`MAX_PAYLOAD_DEPTH`] deep, no `\u0000` and no lone surrogates, since some stores
/// cannot hold them. Duplicate member names are kept. Cheap to clone.
///
/// ```
/// use dvt_contracts::Payload;
///
/// let payload = Payload::new(b" {\"n\": 1e2, \"n\": -0} ")?;
/// assert_eq!(payload.as_str(), r#"{"n": 1e2, "n": -0}"#);
/// # Ok::<(), dvt_contracts::InvalidPayload>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload(Arc<str>);

/// Bytes that are no [`Payload`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPayload {
    /// Too many bytes.
    #[error("payload has {found} bytes: at most {MAX_PAYLOAD_BYTES} are allowed")]
    TooLarge {
        /// Its size in bytes, without surrounding white space.
        found: usize,
    },
    /// Not the JSON that is allowed.
    #[error("payload breaks at byte {at}: {fault}")]
    Malformed {
        /// Offset of the first byte that cannot be accepted, counted in the input as given.
        at: usize,
        /// What is wrong there.
        fault: PayloadFault,
    },
}

/// What is wrong at a place in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadFault {
    /// The input ends inside a value, or holds none.
    #[error("the JSON value ends too early")]
    UnexpectedEnd,
    /// A byte that RFC 8259 does not allow there.
    #[error("no JSON is written like this")]
    Syntax,
    /// Something after the value.
    #[error("expected the end after one JSON value")]
    TrailingData,
    /// An unescaped control character in a string.
    #[error("a control character in a string must be escaped")]
    ControlCharacter,
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    InvalidUtf8,
    /// Arrays and objects nested too deep.
    #[error("nested deeper than {MAX_PAYLOAD_DEPTH}")]
    TooDeep,
    /// `\u0000`.
    #[error("\\u0000 is not allowed: no database can hold it")]
    NulCharacter,
    /// Half a surrogate pair.
    #[error("a lone surrogate is not a character")]
    LoneSurrogate,
}

impl Payload {
    /// Checks the bytes and keeps them.
    ///
    /// # Errors
    /// [`InvalidPayload`] says what is wrong and where.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, InvalidPayload> {
        checker::check(bytes.as_ref()).map(|text| Self(text.into()))
    }

    /// The payload of an event that says nothing more: `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its size in bytes, which is what limits and byte bounds count.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Payload {
    /// Shows the beginning only: payloads can be a megabyte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head: String = self.0.chars().take(64).collect();
        write!(f, "Payload({} bytes: {head})", self.0.len())
    }
}
