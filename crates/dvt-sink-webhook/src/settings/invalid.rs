use std::time::Duration;

use dvt_contracts::MAX_DESTINATION_BYTES;

/// A setting that no sink can work with. Shows no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookSettingsError {
    /// What is no URL.
    #[error(
        "the URL of the webhook cannot be read: {reason}; expected something like https://example.com/hooks/dvt"
    )]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// Another scheme.
    #[error("a webhook's URL begins with https:, found {found}:")]
    Scheme {
        /// What it begins with.
        found: String,
    },
    /// A user or a password in the URL, where it would end up in logs.
    #[error(
        "the URL of the webhook has a user or a password in it: take it out and send an authorization header"
    )]
    UserInfo,
    /// Something behind a `#`, which is never sent.
    #[error(
        "the URL of the webhook has a fragment, which is never sent: take out # and what follows, or write %23"
    )]
    Fragment,
    /// The outbox could not keep it as its destination.
    #[error(
        "the URL of the webhook has {found} bytes without its query: at most {MAX_DESTINATION_BYTES} are possible"
    )]
    TooLong {
        /// How many.
        found: usize,
    },
    /// A header that cannot be sent.
    #[error("the header {name:?} is refused: {rule}")]
    Header {
        /// Its name.
        name: String,
        /// Why.
        rule: &'static str,
    },
    /// What is no certificate.
    #[error(
        "the root certificate cannot be used: {reason}; expected a certificate of an authority in PEM"
    )]
    Certificate {
        /// What is wrong.
        reason: String,
    },
    /// A time out of range.
    #[error("the deadline is {found:?}: use 1 ms to 1 h")]
    Deadline {
        /// The time.
        found: Duration,
    },
}
