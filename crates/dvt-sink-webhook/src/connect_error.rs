use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::address::AddressKind;

/// Why there is no connection to the receiver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookConnectError {
    /// The URL begins with `http:`, and that was not allowed.
    #[error("http: sends events in the clear: use https:, or allow it with --allow-http")]
    Plaintext,
    /// All addresses of the host are ones that a webhook must not have.
    #[error("{host} is at {address}, a {kind} address: {}", remedy(*.kind))]
    AddressRefused {
        /// The host of the URL.
        host: String,
        /// The first of its addresses.
        address: IpAddr,
        /// What kind of address it is.
        kind: AddressKind,
    },
    /// The host's name is not known.
    #[error("the name {host} cannot be resolved: {source}")]
    Resolve {
        /// The host of the URL.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// The host's name has no address.
    #[error("the name {host} has no address")]
    NoAddress {
        /// The host of the URL.
        host: String,
    },
    /// No connection to any of its addresses.
    #[error("{address} ({host}) cannot be reached: {source}")]
    Unreachable {
        /// The host of the URL.
        host: String,
        /// The last address that was tried.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The receiver could not prove who it is, or speaks no TLS.
    #[error(
        "no TLS with {host}: {source}; a certificate of your own authority is made known as a root certificate"
    )]
    Tls {
        /// The host of the URL.
        host: String,
        /// What went wrong.
        source: io::Error,
    },
    /// TLS does not work at all in this process.
    #[error("TLS cannot be set up: {0}")]
    TlsSetup(#[source] rustls::Error),
    /// It took too long.
    #[error("no connection to {host} within {within:?}")]
    Deadline {
        /// The host of the URL.
        host: String,
        /// The time that it had.
        within: Duration,
    },
}

fn remedy(kind: AddressKind) -> &'static str {
    if kind.can_be_allowed() {
        "allow it with --allow-private if the receiver is meant to be there"
    } else {
        "no receiver can be there"
    }
}
