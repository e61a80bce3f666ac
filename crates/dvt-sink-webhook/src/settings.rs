use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::Destination;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

mod invalid;
mod target;
#[cfg(test)]
mod tests;

pub use self::invalid::WebhookSettingsError;
pub(crate) use self::target::Target;

use crate::message::is_ours;
use crate::mode::WebhookMode;
use crate::network::{Network, SystemNetwork};
use crate::redaction::Redaction;
use crate::secrets::Secrets;

/// Where events go, and how.
///
/// `Debug` shows no secret: neither those that sign, nor the values of headers, nor the URL's query.
#[derive(Clone)]
pub struct WebhookSettings {
    pub(crate) target: Target,
    pub(crate) mode: WebhookMode,
    pub(crate) secrets: Option<Secrets>,
    pub(crate) headers: HeaderMap,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) private_addresses: bool,
    pub(crate) plaintext: bool,
    pub(crate) deadline: Duration,
    pub(crate) max_body: usize,
    pub(crate) redaction: Redaction,
    pub(crate) network: Arc<dyn Network>,
}

impl WebhookSettings {
    /// Reads a URL such as `https://example.com/hooks/dvt`. All events are posted to it.
    ///
    /// The other settings begin with: structured mode, no signature, public addresses only, 8 s, 2 MiB.
    ///
    /// # Errors
    /// [`WebhookSettingsError`], among others for a user or a password in the URL.
    pub fn from_url(url: &str) -> Result<Self, WebhookSettingsError> {
        let target = Target::parse(url)?;
        let mut redaction = Redaction::default();
        target.secrets().for_each(|secret| redaction.add(&secret));
        Ok(Self {
            target,
            mode: WebhookMode::default(),
            secrets: None,
            headers: HeaderMap::new(),
            roots: Vec::new(),
            private_addresses: false,
            plaintext: false,
            deadline: Duration::from_secs(8),
            max_body: 2 * 1024 * 1024,
            redaction,
            network: Arc::new(SystemNetwork),
        })
    }

    /// Another way to put events into requests.
    #[must_use]
    pub fn with_mode(self, mode: WebhookMode) -> Self {
        Self { mode, ..self }
    }

    /// Signs each request with these.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self {
            secrets: Some(secrets),
            ..self
        }
    }

    /// Sends this header with each request, for example `authorization`. Its value is a secret.
    ///
    /// # Errors
    /// [`WebhookSettingsError::Header`] for what is no header, and for those that requests have by themselves.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, WebhookSettingsError> {
        let refused = |rule| WebhookSettingsError::Header {
            name: name.to_owned(),
            rule,
        };
        let header = HeaderName::try_from(name).map_err(|_| refused("it is no header name"))?;
        if is_ours(&header) {
            return Err(refused("requests set it by themselves"));
        }
        let mut secret = HeaderValue::from_str(value)
            .map_err(|_| refused("its value has characters that no header can have"))?;
        secret.set_sensitive(true);
        self.redaction.add(value);
        // A scheme and its token: the token alone is as secret.
        value
            .split_whitespace()
            .skip(1)
            .for_each(|token| self.redaction.add(token));
        self.headers.append(header, secret);
        Ok(self)
    }

    /// Trusts receivers with a certificate of this authority, too. PEM; all certificates in it count.
    ///
    /// # Errors
    /// [`WebhookSettingsError::Certificate`]
    pub fn with_root_certificate(mut self, pem: &[u8]) -> Result<Self, WebhookSettingsError> {
        let refused = |reason: String| WebhookSettingsError::Certificate { reason };
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

    /// Whether the receiver may have a loopback, private, link-local or similar address. Not unless told so.
    #[must_use]
    pub fn with_private_addresses(self, private_addresses: bool) -> Self {
        Self {
            private_addresses,
            ..self
        }
    }

    /// Whether an `http:` URL is taken. Not unless told so.
    #[must_use]
    pub fn with_plaintext(self, plaintext: bool) -> Self {
        Self { plaintext, ..self }
    }

    /// Another time for one call of [`publish`](dvt_contracts::EventSink::publish), and for
    /// [`connect`](crate::WebhookSink::connect): 1 ms to 1 h, 8 s unless told otherwise. Keep it below the time that the relay
    /// gives a publish.
    ///
    /// # Errors
    /// [`WebhookSettingsError::Deadline`]
    pub fn with_deadline(self, deadline: Duration) -> Result<Self, WebhookSettingsError> {
        let range = Duration::from_millis(1)..=Duration::from_secs(60 * 60);
        if range.contains(&deadline) {
            Ok(Self { deadline, ..self })
        } else {
            Err(WebhookSettingsError::Deadline { found: deadline })
        }
    }

    /// Another limit for a request's body, in bytes; a greater event is rejected. 2 MiB holds all that a store takes.
    #[must_use]
    pub fn with_max_body(self, max_body: usize) -> Self {
        Self { max_body, ..self }
    }

    /// Other names and addresses, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_network(self, network: Arc<dyn Network>) -> Self {
        Self { network, ..self }
    }

    /// What the outbox calls the receiver: the URL without its query.
    #[must_use]
    pub fn destination(&self) -> Destination {
        self.target.destination.clone()
    }
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("destination", &self.target.destination)
            .field("mode", &self.mode)
            .field("secrets", &self.secrets)
            .field("headers", &self.headers.keys())
            .field("roots", &self.roots.len())
            .field("private_addresses", &self.private_addresses)
            .field("plaintext", &self.plaintext)
            .field("deadline", &self.deadline)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}
