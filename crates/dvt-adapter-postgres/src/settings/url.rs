//! From a URL to the driver's options. The driver parses the URL; what it would ignore, or say with a value in its
//! message or in a log line, is refused here before it sees it.

use std::borrow::Cow;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::invalid::InvalidSettings;
use super::tls::{self, Peer, Wish};

/// The parameters that have a meaning.
pub(super) const KNOWN: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "application_name",
    "options",
    "options[NAME]",
    "statement-cache-capacity",
];

/// Other spellings that the driver understands.
const ALIASES: &[&str] = &["ssl-mode", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key"];

const MODES: &str = "disable, allow, prefer, require, verify-ca or verify-full";

/// What the environment adds beside what the driver itself reads.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// `PGSSLMODE`, if it is set and not empty.
    pub(super) ssl_mode: Option<String>,
    /// Whether `PGSSLROOTCERT` is set.
    pub(super) has_root: bool,
}

impl Environment {
    /// That of this process.
    pub(super) fn of_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            ssl_mode: text("PGSSLMODE"),
            has_root: text("PGSSLROOTCERT").is_some(),
        }
    }
}

/// Reads a URL and settles the protection of its connections.
pub(super) fn options(
    url: &str,
    environment: &Environment,
    plaintext: bool,
) -> Result<PgConnectOptions, InvalidSettings> {
    let url = parsed(url)?;
    for (at, (key, value)) in url.query_pairs().enumerate() {
        checked(at + 1, &key, &value)?;
    }
    let options: PgConnectOptions = url
        .as_str()
        .parse()
        .map_err(|_| malformed("a part of it cannot be decoded"))?;
    let options = with_bare_address(options);
    let peer = match options.get_socket() {
        Some(_) => Peer::Socket,
        None => Peer::of(options.get_host()),
    };
    let wish = Wish {
        mode: asked_mode(&url, environment)?,
        has_root: environment.has_root
            || last(&url, &["sslrootcert", "ssl-root-cert", "ssl-ca"]).is_some(),
        plaintext,
    };
    Ok(options.ssl_mode(tls::mode(peer, wish)?))
}

fn parsed(text: &str) -> Result<Url, InvalidSettings> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("postgres" | "postgresql")) {
        return Err(malformed(
            "it does not begin with postgres:// or postgresql://",
        ));
    }
    let url = Url::parse(text).map_err(|_| malformed("it is no URL"))?;
    if url.fragment().is_some() {
        // A password with a # would lose its end, and the database its name.
        return Err(malformed("it has a #; write it as %23"));
    }
    Ok(url)
}

fn checked(position: usize, key: &str, value: &str) -> Result<(), InvalidSettings> {
    let is_option = key.starts_with("options[") && key.ends_with(']');
    if !is_option && !KNOWN.contains(&key) && !ALIASES.contains(&key) {
        return Err(InvalidSettings::UnknownParameter { position });
    }
    let (valid, name, expected) = match key {
        "sslmode" | "ssl-mode" => (value.parse::<PgSslMode>().is_ok(), "sslmode", MODES),
        "hostaddr" => (
            value.parse::<std::net::IpAddr>().is_ok(),
            "hostaddr",
            "an IP address",
        ),
        "port" => (
            value.parse::<u16>().is_ok_and(|port| port > 0),
            "port",
            "1 to 65535",
        ),
        "statement-cache-capacity" => (
            value.parse::<usize>().is_ok_and(|capacity| capacity > 0),
            "statement-cache-capacity",
            "a number above 0",
        ),
        _ => return Ok(()),
    };
    if valid {
        Ok(())
    } else {
        Err(InvalidSettings::Parameter { name, expected })
    }
}

fn asked_mode(url: &Url, environment: &Environment) -> Result<Option<PgSslMode>, InvalidSettings> {
    let (name, text) = match last(url, &["sslmode", "ssl-mode"]) {
        Some(text) => ("sslmode", Some(text)),
        None => (
            "PGSSLMODE",
            environment.ssl_mode.as_deref().map(Cow::Borrowed),
        ),
    };
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|_| InvalidSettings::Parameter {
        name,
        expected: MODES,
    })
}

/// The last value wins, as it does for the driver.
fn last<'a>(url: &'a Url, names: &[&str]) -> Option<Cow<'a, str>> {
    url.query_pairs()
        .filter(|(key, _)| names.contains(&&**key))
        .last()
        .map(|(_, value)| value)
}

/// `[::1]` is how a URL writes it; neither the resolver nor a certificate knows the brackets.
fn with_bare_address(options: PgConnectOptions) -> PgConnectOptions {
    let bare = options
        .get_host()
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .map(str::to_owned);
    match bare {
        Some(host) => options.host(&host),
        None => options,
    }
}

fn malformed(reason: &'static str) -> InvalidSettings {
    InvalidSettings::Malformed { reason }
}
