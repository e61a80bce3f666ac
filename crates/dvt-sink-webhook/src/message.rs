use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dvt_cloudevents::{CONTENT_TYPE, CloudEvent};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE as CONTENT_TYPE_NAME, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Uri, header, http};

use crate::mode::WebhookMode;
use crate::secrets::Secrets;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// One event as it goes out, perhaps several times.
#[derive(Debug)]
pub(crate) struct Message {
    id: String,
    headers: HeaderMap,
    body: Bytes,
}

/// What all requests have in common.
pub(crate) struct Envelope {
    /// Path and query.
    pub(crate) path: Uri,
    /// With the host and the operator's headers.
    pub(crate) headers: HeaderMap,
    pub(crate) secrets: Option<Secrets>,
}

impl Message {
    pub(crate) fn new(event: &CloudEvent<'_>, mode: WebhookMode) -> Result<Self, http::Error> {
        let mut headers = HeaderMap::new();
        let body = match mode {
            WebhookMode::Structured => {
                headers.insert(CONTENT_TYPE_NAME, HeaderValue::from_static(CONTENT_TYPE));
                event.to_json()
            }
            WebhookMode::Binary => {
                for (name, value) in event.headers() {
                    headers.insert(
                        HeaderName::from_bytes(name.as_bytes())?,
                        HeaderValue::try_from(value)?,
                    );
                }
                event.data().to_owned()
            }
        };
        Ok(Self {
            id: event.id().to_string(),
            headers,
            body: body.into(),
        })
    }

    pub(crate) fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// The request of this moment: its id stays, its timestamp does not.
    pub(crate) fn request(
        &self,
        envelope: &Envelope,
        now: SystemTime,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request =
            Request::post(envelope.path.clone()).body(Full::new(self.body.clone()))?;
        let headers = request.headers_mut();
        headers.clone_from(&envelope.headers);
        headers.extend(self.headers.clone());
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("dvt-sink-webhook/", env!("CARGO_PKG_VERSION"))),
        );
        // An answer is a few words: nothing to unpack.
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = timestamp.as_secs().to_string();
        if let Some(secrets) = &envelope.secrets {
            let signature = secrets.sign(&self.id, &timestamp, &self.body);
            headers.insert(SIGNATURE, HeaderValue::try_from(signature)?);
        }
        headers.insert(ID, HeaderValue::try_from(&self.id)?);
        headers.insert(TIMESTAMP, HeaderValue::try_from(timestamp)?);
        Ok(request)
    }
}

/// Whether requests set a header of this name themselves.
pub(crate) fn is_ours(name: &HeaderName) -> bool {
    let ours = [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::EXPECT,
        header::HOST,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::USER_AGENT,
    ];
    let prefixes = ["ce-", "proxy-", "webhook-"];
    ours.contains(name)
        || name == "keep-alive"
        || prefixes
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
}
