use std::io;
use std::time::Duration;

/// Why there is no connection, or nothing to publish to. Shows no password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RabbitMqConnectError {
    /// Nobody listens there, or the name is unknown.
    #[error(
        "RabbitMQ at {server} cannot be reached: {source}; check host and port, and that it runs"
    )]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the system said.
        source: io::Error,
    },
    /// No answer in time.
    #[error(
        "RabbitMQ at {server} did not answer within {after:?}: check that it is RabbitMQ that listens there, \
         and whether its port wants amqps: instead of amqp:"
    )]
    Timeout {
        /// Host and port.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// No TLS session.
    #[error(
        "no TLS with {server}: {source}; a certificate of your own authority is made known as a root certificate"
    )]
    Tls {
        /// Host and port.
        server: String,
        /// What is wrong.
        source: io::Error,
    },
    /// TLS cannot be set up on this side.
    #[error("TLS cannot be set up: {0}")]
    TlsSetup(#[source] rustls::Error),
    /// A user without a password.
    #[error("the user {user} has no password: give it in an environment variable or a file")]
    NoPassword {
        /// The user.
        user: String,
    },
    /// The user is unknown or the password wrong; guest from another machine, too.
    #[error(
        "RabbitMQ at {server} refuses the user {user}: check the password (rabbitmqctl authenticate_user {user}); \
         guest may only come from localhost"
    )]
    Credentials {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
    },
    /// The vhost is not there, or not for this user.
    #[error(
        "RabbitMQ at {server} refuses the vhost {vhost} to the user {user}: rabbitmqctl add_vhost '{vhost}' and \
         rabbitmqctl set_permissions -p '{vhost}' '{user}' '' '.*' ''"
    )]
    Vhost {
        /// Host and port.
        server: String,
        /// The vhost.
        vhost: String,
        /// The user.
        user: String,
    },
    /// The exchange is not there.
    #[error(
        "there is no exchange {exchange} in the vhost {vhost}: \
         rabbitmqadmin -V '{vhost}' declare exchange name='{exchange}' type=topic durable=true"
    )]
    NoExchange {
        /// The exchange.
        exchange: String,
        /// The vhost.
        vhost: String,
    },
    /// The server ended the conversation, for another reason.
    #[error("RabbitMQ at {server} refuses: {code} {text}")]
    Refused {
        /// Host and port.
        server: String,
        /// The AMQP reply code.
        code: u16,
        /// What the server said.
        text: String,
    },
    /// The connection broke, or the other side does not speak AMQP 0-9-1.
    #[error("the connection to {server} broke while it was being made: {reason}")]
    Lost {
        /// Host and port.
        server: String,
        /// What was seen.
        reason: String,
    },
}
