use dvt_contracts::Destination;
use hyper::Uri;
use hyper::header::HeaderValue;
use url::{Host, Position, Url};

use super::invalid::WebhookSettingsError;

/// A URL, taken apart.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) is_plaintext: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// For the `host` header.
    pub(crate) authority: HeaderValue,
    /// Path and query.
    pub(crate) path: Uri,
    pub(crate) destination: Destination,
    query: Vec<String>,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, WebhookSettingsError> {
        let malformed = |reason: &dyn std::fmt::Display| WebhookSettingsError::Malformed {
            reason: reason.to_string(),
        };
        let url = Url::parse(text).map_err(|error| malformed(&error))?;
        let is_plaintext = match url.scheme() {
            "https" => false,
            "http" => true,
            found => {
                return Err(WebhookSettingsError::Scheme {
                    found: found.to_owned(),
                });
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookSettingsError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(WebhookSettingsError::Fragment);
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(malformed(&"it has no host"));
        };
        let destination = &url[..Position::AfterPath];
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let path = &url[Position::BeforePath..Position::AfterQuery];
        Ok(Self {
            is_plaintext,
            host: host.to_owned(),
            port,
            authority: authority.parse().map_err(|error| malformed(&error))?,
            path: path.parse().map_err(|error| malformed(&error))?,
            destination: destination.parse().map_err(|_| {
                let found = destination.len();
                WebhookSettingsError::TooLong { found }
            })?,
            query: query(&url),
        })
    }

    /// What of the URL may be a secret.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        self.query.iter().cloned()
    }
}

/// The query, whole and its values, as they are written and as they are meant.
fn query(url: &Url) -> Vec<String> {
    let Some(query) = url.query() else {
        return Vec::new();
    };
    let written = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(_, value)| value.to_owned());
    let meant = url.query_pairs().map(|(_, value)| value.into_owned());
    std::iter::once(query.to_owned())
        .chain(written)
        .chain(meant)
        .collect()
}
