use std::fmt::Write as _;

/// Writes every byte outside `[A-Za-z0-9_-]` as `%` and two upper-case hex digits, so that the result is one token of any
/// subject, routing key, path or header, and different texts stay different.
///
/// ```
/// use dvt_cloudevents::{decode, encode};
///
/// assert_eq!(encode("shop.eu/nightly"), "shop%2Eeu%2Fnightly");
/// assert_eq!(decode("shop%2Eeu%2Fnightly")?, "shop.eu/nightly");
/// # Ok::<(), dvt_cloudevents::InvalidEncoding>(())
/// ```
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode_into(&mut encoded, text, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
    });
    encoded
}

/// Appends the text with every byte that is not `kept` percent-encoded; `%` must not be among the kept ones.
pub(crate) fn encode_into(out: &mut String, text: &str, kept: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if kept(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A text that [`encode`] did not make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not percent-encoded UTF-8: % must be followed by two hex digits")]
pub struct InvalidEncoding {
    /// The text.
    pub found: String,
}

/// The text that was encoded; any percent-encoding will do.
///
/// # Errors
/// [`InvalidEncoding`] if a `%` is not followed by two hex digits or the bytes are not UTF-8.
pub fn decode(encoded: &str) -> Result<String, InvalidEncoding> {
    let invalid = || InvalidEncoding {
        found: encoded.to_owned(),
    };
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Err(invalid());
        };
        let (high, low) = (hex(*high), hex(*low));
        bytes.push(
            high.zip(low)
                .map(|(high, low)| high * 16 + low)
                .ok_or_else(invalid)?,
        );
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_encoding_is_refused() {
        for found in ["%", "%4", "%zz", "%+1", "a%FFb"] {
            assert_eq!(
                decode(found),
                Err(InvalidEncoding {
                    found: found.to_owned()
                })
            );
        }
    }

    proptest! {
        #[test]
        fn every_text_becomes_one_token_and_comes_back(text in ".*") {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-%".contains(&byte)));
            prop_assert_eq!(decode(&encoded), Ok(text));
        }
    }
}
