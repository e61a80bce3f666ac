use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";

/// The shortest and the longest secret of the standard, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Receivers' tools leave the padding out or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secrets of [Standard Webhooks](https://www.standardwebhooks.com) that requests are signed with: one, or two while the
/// receiver changes from one to the other.
///
/// Never shown, and wiped from memory in the end.
#[derive(Clone)]
pub struct Secrets(Vec<Zeroizing<Vec<u8>>>);

/// A text that is no [`Secrets`]. It says where, never what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecrets {
    /// None, or more than two.
    #[error(
        "found {found} secrets: expected one, or two while they are changed, with a space between them"
    )]
    Count {
        /// How many there are.
        found: usize,
    },
    /// A secret that begins in another way.
    #[error(
        "secret {number} does not begin with whsec_: make one with `echo whsec_$(openssl rand -base64 32)`"
    )]
    Prefix {
        /// Which one, from 1.
        number: usize,
    },
    /// A secret that is not base64.
    #[error(
        "secret {number} is not base64 after whsec_: make one with `echo whsec_$(openssl rand -base64 32)`"
    )]
    Encoding {
        /// Which one, from 1.
        number: usize,
    },
    /// A secret of another length.
    #[error(
        "secret {number} has {found} bytes: expected 24 to 64; make one with `echo whsec_$(openssl rand -base64 32)`"
    )]
    Length {
        /// Which one, from 1.
        number: usize,
        /// How many bytes it has, decoded.
        found: usize,
    },
}

impl Secrets {
    /// Reads one or two secrets with white space between them: `whsec_` and 24 to 64 bytes in base64.
    ///
    /// # Errors
    /// [`InvalidSecrets`]
    pub fn parse(text: &str) -> Result<Self, InvalidSecrets> {
        let found = text.split_whitespace().count();
        if !(1..=2).contains(&found) {
            return Err(InvalidSecrets::Count { found });
        }
        let secrets = (1..).zip(text.split_whitespace()).map(|(number, secret)| {
            let encoded = secret
                .strip_prefix(PREFIX)
                .ok_or(InvalidSecrets::Prefix { number })?;
            let decoded = LENIENT
                .decode(encoded)
                .map_err(|_| InvalidSecrets::Encoding { number })?;
            let secret = Zeroizing::new(decoded);
            let found = secret.len();
            if !LENGTHS.contains(&found) {
                return Err(InvalidSecrets::Length { number, found });
            }
            Ok(secret)
        });
        Ok(Self(secrets.collect::<Result<_, _>>()?))
    }

    /// The value of `webhook-signature`: one signature for each secret.
    pub(crate) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let signatures = self.macs(id, timestamp, body).map(|mac| {
            let bytes = mac.finalize().into_bytes();
            format!("v1,{}", general_purpose::STANDARD.encode(bytes))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Whether this is the signature of one of the secrets. How long it takes tells nothing about the right one.
    pub(crate) fn made(&self, signature: &str, id: &str, timestamp: &str, body: &[u8]) -> bool {
        let Ok(signature) = LENIENT.decode(signature) else {
            return false;
        };
        self.macs(id, timestamp, body)
            .any(|mac| mac.verify_slice(&signature).is_ok())
    }

    fn macs(&self, id: &str, timestamp: &str, body: &[u8]) -> impl Iterator<Item = Hmac<Sha256>> {
        // A key of any length will do.
        let keyed = self
            .0
            .iter()
            .filter_map(|key| Hmac::new_from_slice(key).ok());
        keyed.map(move |mac: Hmac<Sha256>| {
            mac.chain_update(id)
                .chain_update(".")
                .chain_update(timestamp)
                .chain_update(".")
                .chain_update(body)
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({}, redacted)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of the standard's own libraries.
    const KNOWN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn known_signature(secrets: &str) -> String {
        Secrets::parse(secrets).unwrap().sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            b"{\"test\": 2432232314}",
        )
    }

    #[test]
    fn signs_as_the_standard_says() {
        assert_eq!(
            known_signature(KNOWN),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn two_secrets_make_two_signatures_in_their_order() {
        let other = format!("whsec_{}", "A".repeat(32));
        let (old, new) = (known_signature(KNOWN), known_signature(&other));

        assert_eq!(
            known_signature(&format!("{KNOWN}\n {other}\n")),
            format!("{old} {new}")
        );
        assert_ne!(old, new);
    }

    #[test]
    fn padding_may_be_left_out() {
        let padded = format!("whsec_{}=", "A".repeat(43));
        let bare = format!("whsec_{}", "A".repeat(43));
        assert_eq!(known_signature(&padded), known_signature(&bare));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_shown() {
        let refused = |text: &str| Secrets::parse(text).unwrap_err();
        assert_eq!(refused(" "), InvalidSecrets::Count { found: 0 });
        assert_eq!(
            refused(&format!("{KNOWN} {KNOWN} {KNOWN}")),
            InvalidSecrets::Count { found: 3 }
        );
        assert_eq!(
            refused(&format!("{KNOWN} hidden")),
            InvalidSecrets::Prefix { number: 2 }
        );
        assert_eq!(
            refused("whsec_not*base64"),
            InvalidSecrets::Encoding { number: 1 }
        );
        for (bytes, base64) in [(23, "A".repeat(31)), (66, "A".repeat(88))] {
            assert_eq!(
                refused(&format!("whsec_{base64}")),
                InvalidSecrets::Length {
                    number: 1,
                    found: bytes
                }
            );
        }
        let shown = format!("{:?} {}", Secrets::parse(KNOWN).unwrap(), refused("hidden"));
        assert!(
            !shown.contains("MfKQ") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
