//! A connection URL, which may hold a password.

use std::env;
use std::fmt;

/// A connection URL. It is shown without its password and without its parameters, or not at all if it is not a plain one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(String);

impl Url {
    /// The one in the text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The one in this environment variable. An empty one is none.
    pub(super) fn from_environment(variable: &str) -> Option<Self> {
        let text = env::var(variable).ok()?;
        (!text.trim().is_empty()).then_some(Self(text))
    }

    /// All of it, password included: for environments of processes, never for people.
    pub(crate) fn exposed(&self) -> &str {
        &self.0
    }

    /// The same server and user, another database, and this search path.
    pub(crate) fn with_database(&self, database: &str, search_path: &str) -> Self {
        let (start, parameters) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let authority = start.find("://").map_or(0, |at| at + 3);
        let path = start[authority..]
            .find('/')
            .map_or(start.len(), |at| authority + at);
        let mut url = format!("{}/{database}?", &start[..path]);
        for parameter in parameters
            .split('&')
            .filter(|parameter| !parameter.is_empty())
        {
            // It would go before the path.
            if !parameter.starts_with("dbname=") {
                url.push_str(parameter);
                url.push('&');
            }
        }
        // The last of several settings of one name counts.
        url.push_str("options[search_path]=");
        url.push_str(search_path);
        Self(url)
    }

    /// The port that it names.
    pub(super) fn port(&self) -> Option<u16> {
        let (_, place) = self.0.rsplit_once(':')?;
        place.split('/').next()?.parse().ok()
    }

    /// What may be shown.
    fn shown(&self) -> Option<String> {
        let (scheme, rest) = self.0.split_once("://")?;
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        // With any of these the URL is malformed, or the @ is in a parameter: then anything may be the password.
        if user.contains(['/', '?', '#', '@']) {
            return None;
        }
        let user = match scheme {
            "postgres" | "postgresql" => user.split(':').next().unwrap_or_default(),
            // NATS has users that are tokens.
            "nats" | "tls" | "amqp" | "amqps" => "",
            _ => return None,
        };
        let place = place.split(['?', '#']).next().unwrap_or_default();
        let at = if user.is_empty() { "" } else { "@" };
        Some(format!("{scheme}://{user}{at}{place}"))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown().unwrap_or_else(|| "…".to_owned()))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgresql://u:secret@h:5432/d", "postgresql://u@h:5432/d"),
            ("postgres://u@h/d?password=secret", "postgres://u@h/d"),
            ("postgres:///d?host=/tmp&password=secret", "postgres:///d"),
            ("postgres://:secret@h/d", "postgres://h/d"),
            ("nats://secret@h:4222", "nats://h:4222"),
            ("nats://secret@h:1,nats://secret@h:2", "…"),
            ("amqp://u:secret@h:5672/vhost", "amqp://h:5672/vhost"),
            // Malformed, or made to deceive.
            ("postgres://u:sec/ret@h/d", "…"),
            ("postgres://u:sec@ret@h/d", "…"),
            ("postgres://u:sec?ret@h/d", "…"),
            ("postgres://h:1/d?password=a@secret", "…"),
            ("secret", "…"),
            ("mysql://u:secret@h/d", "…"),
        ] {
            assert_eq!(Url::new(url).to_string(), shown, "{url}");
            assert!(!format!("{:?}", Url::new(url)).contains("sec"), "{url}");
        }
    }

    #[test]
    fn another_database_keeps_the_server() {
        let options = "options[search_path]=dvt,pg_temp";
        for (url, start) in [
            ("postgresql://u:p@h:1/d", "postgresql://u:p@h:1/x?"),
            ("postgresql://u:p@h:1", "postgresql://u:p@h:1/x?"),
            ("postgresql://u@h/d?", "postgresql://u@h/x?"),
            (
                "postgresql:///d?host=/run&dbname=d&sslmode=disable",
                "postgresql:///x?host=/run&sslmode=disable&",
            ),
        ] {
            let other = Url::new(url).with_database("x", "dvt,pg_temp");
            assert_eq!(other.exposed(), format!("{start}{options}"), "{url}");
        }
    }
}
