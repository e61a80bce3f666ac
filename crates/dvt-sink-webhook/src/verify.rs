//! The receiver's side of the signature.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::secrets::Secrets;

/// How far a request's time may be from the receiver's, as the standard proposes.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The headers that belong to a signature, as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureHeaders<'a> {
    /// `webhook-id`: the event id.
    pub id: &'a str,
    /// `webhook-timestamp`: when it was sent, in seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or more signatures with spaces between them.
    pub signature: &'a str,
}

/// Why a request is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSignature {
    /// The timestamp is not a number of seconds.
    #[error("webhook-timestamp is not a number of seconds since 1970")]
    Timestamp,
    /// The request was sent too long ago, or is from the future: perhaps it is played back.
    #[error(
        "webhook-timestamp is {off_by:?} away from now: at most {tolerance:?} is tolerated; look at both clocks"
    )]
    Time {
        /// How far it is away.
        off_by: Duration,
        /// How far it may be away.
        tolerance: Duration,
    },
    /// No signature was made with one of the secrets.
    #[error("no signature fits the body: it was changed, or signed with another secret")]
    Signature,
}

impl Secrets {
    /// Whether a request was signed with one of these secrets, not long ago, and not changed. For receivers.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use dvt_sink_webhook::{Secrets, SignatureHeaders, TOLERANCE};
    ///
    /// let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    /// let headers = SignatureHeaders {
    ///     id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    ///     timestamp: "1614265330",
    ///     signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    /// };
    /// let now = UNIX_EPOCH + Duration::from_secs(1_614_265_331);
    /// secrets.verify(&headers, br#"{"test": 2432232314}"#, now, TOLERANCE)?;
    /// assert!(secrets.verify(&headers, b"{}", now, TOLERANCE).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The comparison takes the same time wherever a signature differs. Signatures of other versions than `v1` are
    /// passed over.
    ///
    /// # Errors
    /// [`InvalidSignature`]: answer 401 and forget the request.
    pub fn verify(
        &self,
        headers: &SignatureHeaders<'_>,
        body: &[u8],
        now: SystemTime,
        tolerance: Duration,
    ) -> Result<(), InvalidSignature> {
        let sent: i64 = headers
            .timestamp
            .parse()
            .map_err(|_| InvalidSignature::Timestamp)?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let off_by = i128::from(now) - i128::from(sent);
        let off_by = u64::try_from(off_by.unsigned_abs()).unwrap_or(u64::MAX);
        let off_by = Duration::from_secs(off_by);
        if off_by > tolerance {
            return Err(InvalidSignature::Time { off_by, tolerance });
        }
        let fits = headers
            .signature
            .split_whitespace()
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .any(|signature| self.made(signature, headers.id, headers.timestamp, body));
        fits.then_some(()).ok_or(InvalidSignature::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const BODY: &[u8] = b"{\"test\": 2432232314}";
    const KNOWN: SignatureHeaders<'_> = SignatureHeaders {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: "1614265330",
        signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };

    fn verify(
        secrets: &str,
        headers: SignatureHeaders<'_>,
        body: &[u8],
        now: u64,
    ) -> Result<(), InvalidSignature> {
        let now = UNIX_EPOCH + Duration::from_secs(now);
        Secrets::parse(secrets)
            .unwrap()
            .verify(&headers, body, now, TOLERANCE)
    }

    #[test]
    fn during_a_change_of_secrets_both_sides_may_be_first() {
        let both = format!("{OLD} {NEW}");
        let signed_with = |secrets: &str| {
            let secrets = Secrets::parse(secrets).unwrap();
            secrets.sign(KNOWN.id, KNOWN.timestamp, BODY)
        };
        for (sender, receiver) in [
            (OLD, both.as_str()),
            (&both, OLD),
            (&both, NEW),
            (NEW, &both),
        ] {
            let signature = format!("v1a,x v2,{} {}", "A".repeat(44), signed_with(sender));
            let headers = SignatureHeaders {
                signature: &signature,
                ..KNOWN
            };
            assert_eq!(verify(receiver, headers, BODY, 1_614_265_330), Ok(()));
        }
    }

    #[test]
    fn whatever_was_changed_is_found() {
        let now = 1_614_265_330;
        let changed = [
            SignatureHeaders {
                id: "msg_other",
                ..KNOWN
            },
            SignatureHeaders {
                timestamp: "1614265331",
                ..KNOWN
            },
            SignatureHeaders {
                signature: "",
                ..KNOWN
            },
            SignatureHeaders {
                signature: "v1,",
                ..KNOWN
            },
            SignatureHeaders {
                signature: "v1,g0hM",
                ..KNOWN
            },
            SignatureHeaders {
                signature: "v1,***",
                ..KNOWN
            },
            SignatureHeaders {
                signature: &KNOWN.signature[3..],
                ..KNOWN
            },
            SignatureHeaders {
                signature: "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                ..KNOWN
            },
        ];
        for headers in changed {
            assert_eq!(
                verify(OLD, headers, BODY, now),
                Err(InvalidSignature::Signature),
                "{headers:?}"
            );
        }
        assert_eq!(
            verify(OLD, KNOWN, b"{}", now),
            Err(InvalidSignature::Signature)
        );
        assert_eq!(
            verify(NEW, KNOWN, BODY, now),
            Err(InvalidSignature::Signature)
        );
        assert_eq!(verify(OLD, KNOWN, BODY, now), Ok(()));
    }

    #[test]
    fn old_requests_and_those_of_the_future_are_refused() {
        let sent = 1_614_265_330;
        assert_eq!(verify(OLD, KNOWN, BODY, sent + 300), Ok(()));
        assert_eq!(verify(OLD, KNOWN, BODY, sent - 300), Ok(()));
        for now in [sent + 301, sent - 301] {
            let off_by = Duration::from_secs(301);
            assert_eq!(
                verify(OLD, KNOWN, BODY, now),
                Err(InvalidSignature::Time {
                    off_by,
                    tolerance: TOLERANCE
                })
            );
        }
        for timestamp in ["", "now", "1614265330.5"] {
            let headers = SignatureHeaders { timestamp, ..KNOWN };
            assert_eq!(
                verify(OLD, headers, BODY, sent),
                Err(InvalidSignature::Timestamp)
            );
        }
        let headers = SignatureHeaders {
            timestamp: "-9223372036854775808",
            ..KNOWN
        };
        assert!(verify(OLD, headers, BODY, sent).is_err());
    }
}
