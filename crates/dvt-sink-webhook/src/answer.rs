//! What the receiver says, and what becomes of the event.

use std::time::{Duration, SystemTime};

use dvt_contracts::{SafeText, Stop};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{HeaderMap, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::redaction::Redaction;
use crate::retry_after;

/// Of an answer's body this much is read at most.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// An answer's body is waited for so long at most: its status says it all.
const BODY_WAIT: Duration = Duration::from_secs(1);

/// What was read of an answer's body.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    /// Whether that is all of it; if not, its connection cannot be used again.
    pub(crate) is_complete: bool,
}

impl Body {
    pub(crate) async fn read(mut incoming: Incoming, until: Instant) -> Self {
        let until = until.min(Instant::now() + BODY_WAIT);
        let mut body = Self::default();
        loop {
            match timeout_at(until, incoming.frame()).await {
                Ok(None) => {
                    body.is_complete = true;
                    return body;
                }
                Ok(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    let room = MAX_BODY_BYTES - body.bytes.len();
                    body.bytes.extend(data.iter().take(room));
                    if data.len() > room {
                        return body;
                    }
                }
                Ok(Some(Err(_))) | Err(_) => return body,
            }
        }
    }
}

/// Why the event is not stored, if it is not.
pub(crate) fn stop(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Body,
    sent_bytes: usize,
    redaction: &Redaction,
) -> Option<Stop> {
    if status.is_success() {
        return None;
    }
    let mut reason = format!("the receiver says {status}");
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            reason.push_str(&format!(" to a body of {sent_bytes} bytes"));
        }
        status if status.is_redirection() => {
            reason.push_str(", and redirects are not followed: use the URL that it points to");
        }
        _ => {}
    }
    let said = redaction.excerpt(&body.bytes);
    if !said.is_empty() {
        reason.push_str(": ");
        reason.push_str(&said);
    }
    let reason = SafeText::new(reason);
    Some(if is_passing(status) {
        let asked = headers.get(header::RETRY_AFTER);
        let retry_after =
            asked.and_then(|value| retry_after::parse(value.as_bytes(), SystemTime::now()));
        Stop::Unavailable {
            reason,
            retry_after,
        }
    } else {
        Stop::Rejected { reason }
    })
}

/// Whether the same request may be taken later.
fn is_passing(status: StatusCode) -> bool {
    let passing = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    // Beyond 599 there is nothing; what it means is not for us to say, and nobody should lose an event by it.
    status.as_u16() >= 500 || status.is_informational() || passing.contains(&status)
}
