use dvt_cloudevents::{Template, decode};
use dvt_contracts::{Destination, MAX_DESTINATION_BYTES};
use url::Url;
use zeroize::Zeroizing;

use super::RabbitMqSettingsError;

/// The bytes of a name in AMQP 0-9-1.
pub(super) const MAX_NAME_BYTES: usize = 255;
pub(super) const EXPECTED: &str = "something like amqp://user@rabbit.example/exchange or amqps://user@rabbit.example/vhost/exchange";
const ROUTING_KEY: &str = "dvt.{tenant}.{run}";

/// What a URL says.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// Without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) vhost: String,
    pub(crate) exchange: String,
    pub(crate) routing_key: Template,
    pub(crate) destination: Destination,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, RabbitMqSettingsError> {
        let malformed = |reason: &str| RabbitMqSettingsError::Malformed {
            reason: reason.to_owned(),
        };
        let url = Url::parse(text).map_err(|error| malformed(&error.to_string()))?;
        let tls = match url.scheme() {
            "amqp" => false,
            "amqps" => true,
            found => {
                return Err(RabbitMqSettingsError::Scheme {
                    found: found.to_owned(),
                });
            }
        };
        if url.fragment().is_some() {
            return Err(RabbitMqSettingsError::Fragment);
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| malformed("it has no host"))?
            .to_ascii_lowercase();
        let port = url.port().unwrap_or(if tls { 5671 } else { 5672 });
        let (vhost, exchange) = path(&url)?;
        let (user, password) = credentials(&url)?;
        let routing_key = routing_key(&url)?;
        let scheme = url.scheme();
        let destination = format!(
            "{scheme}://{host}:{port}/{}/{}",
            segment(&vhost),
            segment(&exchange)
        );
        let found = destination.len();
        if found > MAX_DESTINATION_BYTES {
            return Err(RabbitMqSettingsError::TooLong { found });
        }
        let destination =
            Destination::new(&destination).map_err(|error| malformed(&error.to_string()))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self {
            tls,
            host,
            port,
            user,
            password,
            vhost,
            exchange,
            routing_key,
            destination,
        })
    }

    /// For messages.
    pub(crate) fn server(&self) -> String {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }
}

fn path(url: &Url) -> Result<(String, String), RabbitMqSettingsError> {
    let path = url.path().strip_prefix('/').unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let (vhost, exchange) = match parts[..] {
        [exchange] => ("/".to_owned(), exchange),
        [vhost, exchange] => (name("vhost", vhost)?, exchange),
        _ => return Err(RabbitMqSettingsError::Path { found: parts.len() }),
    };
    let exchange = name("exchange", exchange)?;
    if exchange.is_empty() {
        return Err(RabbitMqSettingsError::NoExchange);
    }
    Ok((vhost, exchange))
}

/// RabbitMQ's own clients begin with guest, who may come from localhost only.
fn credentials(url: &Url) -> Result<(String, Option<Zeroizing<String>>), RabbitMqSettingsError> {
    let password = match url.password() {
        None => None,
        Some(password) => Some(Zeroizing::new(name("password", password)?)),
    };
    match (url.username(), password) {
        ("", None) => Ok(("guest".to_owned(), Some(Zeroizing::new("guest".to_owned())))),
        (user, password) => Ok((name("user", user)?, password)),
    }
}

fn routing_key(url: &Url) -> Result<Template, RabbitMqSettingsError> {
    let parameter = |name: &str, problem| RabbitMqSettingsError::Parameter {
        name: name.to_owned(),
        problem,
    };
    let mut found = None;
    for pair in url.query().unwrap_or_default().split('&') {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("", "") => {}
            ("routing_key", template) => {
                // No form decoding: a plus stays a plus.
                let template = name("routing key", template)?;
                if found.replace(template).is_some() {
                    return Err(parameter("routing_key", "there twice"));
                }
            }
            (other, _) => return Err(parameter(other, "unknown")),
        }
    }
    Ok(found.as_deref().unwrap_or(ROUTING_KEY).parse()?)
}

fn name(what: &'static str, encoded: &str) -> Result<String, RabbitMqSettingsError> {
    let unreadable = RabbitMqSettingsError::Name { what };
    let name = decode(encoded).map_err(|_| unreadable.clone())?;
    if name.chars().any(char::is_control) {
        return Err(unreadable);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(RabbitMqSettingsError::NameTooLong {
            what,
            found: name.len(),
        });
    }
    Ok(name)
}

/// One way to write each name: everything but the unreserved characters of RFC 3986 is percent-encoded.
fn segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}
