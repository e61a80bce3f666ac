/// Settings that cannot be used.
///
/// No message repeats anything of the URL but what cannot be secret: a password may stand wherever somebody forgot to
/// encode a `?`, an `@` or a `#`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// The text is no URL of a PostgreSQL database.
    #[error(
        "the URL of the store is not understood ({reason}): expected postgres://user@host:port/database?sslmode=…, with \
         percent-encoding for special characters of a user or password (%40 for @)"
    )]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The URL has a parameter that has no meaning here.
    #[error(
        "parameter {position} of the URL is not known: expected one of {}; if it is a part of the password, write its \
         ? as %3F and its & as %26", super::url::KNOWN.join(", ")
    )]
    UnknownParameter {
        /// Which one, counted from 1.
        position: usize,
    },
    /// The value of a parameter, or of `PGSSLMODE`, cannot be used.
    #[error("{name} has a value that cannot be used: expected {expected}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// The connection could be read or changed on its way.
    #[error(
        "sslmode={found} sends data, and perhaps the password, in clear text to a host that is not local: expected \
         verify-full (the default; with sslrootcert=FILE for a certificate authority of your own), or verify-ca, or \
         require; if the network itself is safe, allow it with DVT_PG_ALLOW_PLAINTEXT=1"
    )]
    Plaintext {
        /// The mode.
        found: &'static str,
    },
    /// The pool cannot have that size.
    #[error("a pool of {found} connections is out of range: expected 1 to 1,000")]
    MaxConnections {
        /// The size asked for.
        found: u32,
    },
    /// The client would give up before the server does, and never learn whether anything happened.
    #[error(
        "the deadline ({deadline_ms} ms) must be above the statement timeout ({statement_timeout_ms} ms), and that at least \
         1 ms: otherwise no timeout would ever be definite"
    )]
    Timeouts {
        /// The client's deadline in milliseconds.
        deadline_ms: u128,
        /// The server's timeout in milliseconds.
        statement_timeout_ms: u128,
    },
}
