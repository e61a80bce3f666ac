use std::fmt;
use std::time::Duration;

use dvt_contracts::Destination;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

mod invalid;
mod target;
#[cfg(test)]
mod tests;

pub use self::invalid::RabbitMqSettingsError;
pub(crate) use self::target::Target;

/// Which exchange events go to, and how. `Debug` shows no password.
#[derive(Clone)]
pub struct RabbitMqSettings {
    pub(crate) target: Target,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) connect_timeout: Duration,
    pub(crate) confirm_timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) max_body: usize,
}

impl RabbitMqSettings {
    /// Reads a URL such as `amqps://user@rabbit.example/vhost/exchange?routing_key=dvt.{tenant}.{run}`; the crate's page tells
    /// its parts.
    ///
    /// The other settings begin with: 5 s to connect, 5 s for a confirm, 8 s for a call, 16 MiB.
    ///
    /// # Errors
    /// [`RabbitMqSettingsError`]
    pub fn from_url(url: &str) -> Result<Self, RabbitMqSettingsError> {
        Ok(Self {
            target: Target::parse(url)?,
            roots: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            confirm_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(8),
            max_body: 16 * 1024 * 1024,
        })
    }

    /// The user's password, in place of the one in the URL.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.target.password = Some(Zeroizing::new(password.into()));
        self
    }

    /// Trusts servers with a certificate of this authority, too. PEM; all certificates in it count. Only `amqps:` looks at it.
    ///
    /// # Errors
    /// [`RabbitMqSettingsError::Certificate`]
    pub fn with_root_certificate(mut self, pem: &[u8]) -> Result<Self, RabbitMqSettingsError> {
        let refused = |reason: String| RabbitMqSettingsError::Certificate { reason };
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            RootCertStore::empty()
                .add(certificate.clone())
                .map_err(|error| refused(error.to_string()))?;
            self.roots.push(certificate);
        }
        if self.roots.len() == before {
            return Err(refused("there is none in the file".to_owned()));
        }
        Ok(self)
    }

    /// Another time for one attempt to connect, TLS and login included: 1 ms to 1 h, 5 s unless told otherwise.
    ///
    /// # Errors
    /// [`RabbitMqSettingsError::Time`]
    pub fn with_connect_timeout(self, found: Duration) -> Result<Self, RabbitMqSettingsError> {
        let connect_timeout = in_range("connect timeout", found)?;
        Ok(Self {
            connect_timeout,
            ..self
        })
    }

    /// Another time for the confirm of one event: 1 ms to 1 h, 5 s unless told otherwise. After it nobody knows whether the
    /// event is stored.
    ///
    /// # Errors
    /// [`RabbitMqSettingsError::Time`]
    pub fn with_confirm_timeout(self, found: Duration) -> Result<Self, RabbitMqSettingsError> {
        let confirm_timeout = in_range("confirm timeout", found)?;
        Ok(Self {
            confirm_timeout,
            ..self
        })
    }

    /// Another time for one call of [`publish`](dvt_contracts::EventSink::publish): 1 ms to 1 h, 8 s unless told otherwise. Keep
    /// it below the time that the relay gives a publish.
    ///
    /// # Errors
    /// [`RabbitMqSettingsError::Time`]
    pub fn with_deadline(self, found: Duration) -> Result<Self, RabbitMqSettingsError> {
        let deadline = in_range("deadline", found)?;
        Ok(Self { deadline, ..self })
    }

    /// Another limit for a message's body, in bytes; a greater event is rejected. The server has a limit of its own,
    /// `max_message_size`: 128 MiB, and 16 MiB from RabbitMQ 4.0 on. No event of a store comes near either.
    #[must_use]
    pub fn with_max_body(self, max_body: usize) -> Self {
        Self { max_body, ..self }
    }

    /// What the outbox calls the exchange: `amqp://host:port/vhost/exchange`, with the port and the vhost always there. The
    /// user and the routing key do not belong to it.
    #[must_use]
    pub fn destination(&self) -> Destination {
        self.target.destination.clone()
    }
}

fn in_range(what: &'static str, found: Duration) -> Result<Duration, RabbitMqSettingsError> {
    let range = Duration::from_millis(1)..=Duration::from_secs(60 * 60);
    if range.contains(&found) {
        Ok(found)
    } else {
        Err(RabbitMqSettingsError::Time { what, found })
    }
}

impl fmt::Debug for RabbitMqSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqSettings")
            .field("destination", &self.target.destination)
            .field("user", &self.target.user)
            .field("routing_key", &self.target.routing_key.to_string())
            .field("roots", &self.roots.len())
            .field("connect_timeout", &self.connect_timeout)
            .field("confirm_timeout", &self.confirm_timeout)
            .field("deadline", &self.deadline)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}
