use std::path::PathBuf;
use std::time::Duration;

use dvt_cloudevents::{InvalidTemplate, Template, decode};
use dvt_contracts::Destination;
use secrecy::SecretString;
use url::Url;

/// Where a [`NatsSink`](crate::NatsSink) publishes, and how it gets there. Debug output has no secrets.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) credentials_file: Option<PathBuf>,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) stream: Option<String>,
    pub(crate) creates_stream: bool,
    pub(crate) subject: Template,
    pub(crate) ack_timeout: Duration,
    pub(crate) deadline: Duration,
}

/// A URL that leads to no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNatsSettings {
    /// Not a URL of the two kinds.
    #[error(
        "expected nats://HOST/SUBJECT or tls://HOST/SUBJECT, such as nats://localhost:4222/dvt.{{tenant}}.{{run}}: {reason}"
    )]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The subject is no template.
    #[error(transparent)]
    Template(#[from] InvalidTemplate),
    /// What the template makes is no subject.
    #[error("{template:?} makes no subject to publish to: {rule}")]
    Subject {
        /// The template.
        template: String,
        /// What NATS asks for.
        rule: &'static str,
    },
    /// A parameter that is not known.
    #[error("the parameter {name:?} is unknown: the one that there is is stream")]
    Parameter {
        /// Its name.
        name: String,
    },
}

/// What most users want: a subject for each run.
const SUBJECT: &str = "dvt.{tenant}.{run}";
const PORT: u16 = 4222;

impl NatsSettings {
    /// Reads `nats://[USER[:PASSWORD]@]HOST[:PORT][/SUBJECT][?stream=NAME]`, or the same with `tls:`. Connects to nothing.
    ///
    /// SUBJECT is a [`Template`]; without it, it is `dvt.{tenant}.{run}`.
    ///
    /// # Errors
    /// [`InvalidNatsSettings`] tells what is wrong, without the password.
    pub fn from_url(url: &str) -> Result<Self, InvalidNatsSettings> {
        let wrong = |reason: &str| InvalidNatsSettings::Url {
            reason: reason.to_owned(),
        };
        let url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        let tls = match url.scheme() {
            "nats" => false,
            "tls" => true,
            _ => return Err(wrong("the scheme is another one")),
        };
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| wrong("there is no host"))?;
        if url.fragment().is_some() {
            return Err(wrong("there is a # in it: write %23"));
        }
        let decoded = |text: &str| decode(text).map_err(|error| wrong(&error.to_string()));
        let subject = match url.path().trim_start_matches('/') {
            "" => SUBJECT.to_owned(),
            path => decoded(path)?,
        };
        let user = match url.username() {
            "" => None,
            user => Some(decoded(user)?),
        };
        let password = match url.password() {
            // Not decoded's error: it would quote the password.
            Some(password) => {
                Some(decode(password).map_err(|_| wrong("the password is not percent-encoded"))?)
            }
            None => None,
        };
        let mut settings = Self {
            host: host.to_owned(),
            port: url.port().unwrap_or(PORT),
            tls,
            user,
            password: password.map(SecretString::from),
            credentials_file: None,
            root_certificates: None,
            stream: None,
            creates_stream: false,
            subject: subject_template(&subject)?,
            ack_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(8),
        };
        for (name, value) in url.query_pairs() {
            match &*name {
                "stream" => settings.stream = Some(value.into_owned()),
                _ => {
                    return Err(InvalidNatsSettings::Parameter {
                        name: name.into_owned(),
                    });
                }
            }
        }
        Ok(settings)
    }

    /// The stream that has to take the subjects; without it, the one that does.
    #[must_use]
    pub fn with_stream(self, stream: impl Into<String>) -> Self {
        Self {
            stream: Some(stream.into()),
            ..self
        }
    }

    /// Makes the stream if none takes the subjects: named as in [`with_stream`](Self::with_stream) or `DVT`, on disk, with a
    /// duplicate window of 10 minutes, and without limits.
    #[must_use]
    pub fn with_stream_created(self) -> Self {
        Self {
            creates_stream: true,
            ..self
        }
    }

    /// The stream's name, if it has to be made.
    pub(crate) fn new_stream(&self) -> String {
        self.stream.clone().unwrap_or_else(|| "DVT".to_owned())
    }

    /// The user's password, or a token where the URL names no user.
    #[must_use]
    pub fn with_password(self, password: impl Into<SecretString>) -> Self {
        Self {
            password: Some(password.into()),
            ..self
        }
    }

    /// A file with a JWT and its key, as `nsc` makes it.
    #[must_use]
    pub fn with_credentials_file(self, file: impl Into<PathBuf>) -> Self {
        Self {
            credentials_file: Some(file.into()),
            ..self
        }
    }

    /// A file of certificates to trust besides the system's, as PEM.
    #[must_use]
    pub fn with_root_certificates(self, file: impl Into<PathBuf>) -> Self {
        Self {
            root_certificates: Some(file.into()),
            ..self
        }
    }

    /// How long one event may wait for its acknowledgement: 5 s unless said otherwise. Keep it below the relay's limit for a
    /// publish.
    #[must_use]
    pub fn with_ack_timeout(self, ack_timeout: Duration) -> Self {
        Self {
            ack_timeout,
            ..self
        }
    }

    /// How long one publish may take with all its events: 8 s unless said otherwise. After half of it no further event is
    /// begun, so that the relay learns how far it came; keep it below the relay's limit.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// What an outbox calls this: the server and the subject, without secrets.
    ///
    /// # Errors
    /// If that is longer than a destination may be.
    pub fn destination(&self) -> Result<Destination, dvt_contracts::InvalidIdentifier> {
        Destination::new(format!("{}/{}", self.server(), self.subject))
    }

    /// The server, without the one who logs in.
    pub(crate) fn server(&self) -> String {
        let scheme = if self.tls { "tls" } else { "nats" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

fn subject_template(text: &str) -> Result<Template, InvalidNatsSettings> {
    let template: Template = text.parse()?;
    let subject = template.with_all_as("x");
    let broken = |rule| InvalidNatsSettings::Subject {
        template: text.to_owned(),
        rule,
    };
    if subject.split('.').any(str::is_empty) {
        return Err(broken("no part between two dots may be empty"));
    }
    if subject.contains(|c: char| c.is_whitespace() || c.is_control() || "*>".contains(c)) {
        return Err(broken("white space, * and > are not allowed"));
    }
    if subject.starts_with(['$', '_']) {
        return Err(broken(
            "subjects that begin with $ or _ are the server's own",
        ));
    }
    Ok(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_told_without_their_secrets() {
        let settings = NatsSettings::from_url(
            "tls://ann:se%63ret@bus.example/runs.{tenant}.{run}?stream=RUNS",
        )
        .unwrap();
        assert_eq!(settings.host, "bus.example");
        assert_eq!((settings.port, settings.tls), (4222, true));
        assert_eq!(settings.stream.as_deref(), Some("RUNS"));
        assert_eq!(
            settings.destination().unwrap().as_str(),
            "tls://bus.example:4222/runs.{tenant}.{run}"
        );
        assert!(!format!("{settings:?}").contains("secret"));

        let short = NatsSettings::from_url("nats://localhost").unwrap();
        assert_eq!(
            short.destination().unwrap().as_str(),
            "nats://localhost:4222/dvt.{tenant}.{run}"
        );
    }

    #[test]
    fn what_leads_to_no_subject_is_refused_with_the_reason() {
        let refused = |url: &str| NatsSettings::from_url(url).unwrap_err().to_string();
        for (url, reason) in [
            ("http://bus/x", "the scheme is another one"),
            ("nats:///x", "there is no host"),
            ("nats://bus/a..b", "may be empty"),
            ("nats://bus/a.", "may be empty"),
            ("nats://bus/a.*", "* and >"),
            ("nats://bus/a b", "white space"),
            ("nats://bus/$JS.{run}", "the server's own"),
            ("nats://bus/a.{job}", "{job}"),
            ("nats://bus/{tenant}{run}", "between them"),
            ("nats://bus/a?steam=x", "\"steam\""),
            ("nats://u:%zz@bus/a", "not percent-encoded"),
        ] {
            assert!(refused(url).contains(reason), "{url}: {}", refused(url));
        }
    }
}
