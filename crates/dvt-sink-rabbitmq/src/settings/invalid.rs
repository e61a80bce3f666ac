use std::time::Duration;

use dvt_cloudevents::InvalidTemplate;
use dvt_contracts::MAX_DESTINATION_BYTES;

use super::target::{EXPECTED, MAX_NAME_BYTES};

/// A setting that no sink can work with. Shows no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RabbitMqSettingsError {
    /// What is no URL.
    #[error("the URL of RabbitMQ cannot be read: {reason}; expected {EXPECTED}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// Another scheme.
    #[error("the URL of RabbitMQ begins with amqp: or amqps:, found {found}:")]
    Scheme {
        /// What it begins with.
        found: String,
    },
    /// No exchange, or an empty name, which is the exchange that no queue can be bound to.
    #[error(
        "the URL of RabbitMQ names no exchange: write it behind the host, {EXPECTED}; \
         make one with: rabbitmqadmin declare exchange name=dvt type=topic durable=true"
    )]
    NoExchange,
    /// More than a vhost and an exchange.
    #[error(
        "the path of the URL of RabbitMQ has {found} parts, expected an exchange, or a vhost and an exchange; \
         write %2F for a slash in a name"
    )]
    Path {
        /// How many.
        found: usize,
    },
    /// A name that AMQP cannot carry.
    #[error("the {what} has {found} bytes: at most {MAX_NAME_BYTES} are possible")]
    NameTooLong {
        /// Whose name.
        what: &'static str,
        /// How many.
        found: usize,
    },
    /// A name that is not percent-encoded UTF-8, or has control characters in it.
    #[error(
        "the {what} cannot be read: it must be percent-encoded UTF-8 without control characters"
    )]
    Name {
        /// Which part.
        what: &'static str,
    },
    /// The outbox could not keep it as its destination.
    #[error(
        "the destination has {found} bytes: at most {MAX_DESTINATION_BYTES} are possible; use shorter names"
    )]
    TooLong {
        /// How many.
        found: usize,
    },
    /// Something behind a `#`.
    #[error(
        "the URL of RabbitMQ has a fragment: take out # and what follows, or write %23; \
         wildcards belong to the bindings of queues, not here"
    )]
    Fragment,
    /// A parameter that is not known, or is there twice.
    #[error(
        "the parameter {name:?} is {problem}: the URL of RabbitMQ takes routing_key, once; \
         everything else is a setting of its own"
    )]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A routing key that is no template.
    #[error("the routing key is no template: {0}")]
    RoutingKey(#[from] InvalidTemplate),
    /// What is no certificate.
    #[error(
        "the root certificate cannot be used: {reason}; expected a certificate of an authority in PEM"
    )]
    Certificate {
        /// What is wrong.
        reason: String,
    },
    /// A time out of range.
    #[error("the {what} is {found:?}: use 1 ms to 1 h")]
    Time {
        /// Which one.
        what: &'static str,
        /// The time.
        found: Duration,
    },
}
