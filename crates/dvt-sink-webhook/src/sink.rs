use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use dvt_cloudevents::CloudEvent;
use dvt_contracts::{Destination, EventSink, Published, RunEvent, RunKey, SafeText, Stop};
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::HOST;
use tokio::time::{Instant, timeout_at};

use crate::answer::{self, Body};
use crate::connect_error::WebhookConnectError;
use crate::connection::Connection;
use crate::connector::Connector;
use crate::message::{Envelope, Message};
use crate::mode::WebhookMode;
use crate::pool::Pool;
use crate::redaction::Redaction;
use crate::settings::WebhookSettings;
use crate::tls;

/// A connection that is not ready again so long after a whole answer is given up.
const READY_WAIT: Duration = Duration::from_millis(100);

/// Posts each event to a webhook, in order, and believes only in 2xx. The crate's page has the table of answers.
pub struct WebhookSink {
    destination: Destination,
    mode: WebhookMode,
    deadline: Duration,
    max_body: usize,
    envelope: Envelope,
    connector: Connector,
    redaction: Redaction,
    idle: Pool,
}

impl WebhookSink {
    /// Checks the settings, and that the receiver can be reached: name, address, and certificate. No request is sent.
    ///
    /// Needs a Tokio runtime with I/O and time, and works on that one.
    ///
    /// # Errors
    /// [`WebhookConnectError`], with the remedy.
    pub async fn connect(settings: WebhookSettings) -> Result<Self, WebhookConnectError> {
        let target = settings.target;
        if target.is_plaintext && !settings.plaintext {
            return Err(WebhookConnectError::Plaintext);
        }
        let tls = if target.is_plaintext {
            None
        } else {
            Some(tls::config(&settings.roots).map_err(WebhookConnectError::TlsSetup)?)
        };
        let mut headers = settings.headers;
        headers.insert(HOST, target.authority);
        let sink = Self {
            destination: target.destination,
            mode: settings.mode,
            deadline: settings.deadline,
            max_body: settings.max_body,
            envelope: Envelope {
                path: target.path,
                headers,
                secrets: settings.secrets,
            },
            connector: Connector {
                host: target.host,
                port: target.port,
                tls,
                private_addresses: settings.private_addresses,
                network: settings.network,
            },
            redaction: settings.redaction,
            idle: Pool::default(),
        };
        let connection = sink.connector.connect(Instant::now() + sink.deadline);
        sink.idle.put(connection.await?);
        Ok(sink)
    }

    /// What the outbox calls the receiver.
    #[must_use]
    pub fn destination(&self) -> Destination {
        self.destination.clone()
    }

    /// Offers one event, once or, if a connection had been closed while it was idle, twice.
    async fn offer(&self, event: &CloudEvent<'_>, until: Instant) -> Result<(), Stop> {
        let message = Message::new(event, self.mode)
            .map_err(|error| rejected(format!("no request can be made of it: {error}")))?;
        let (size, limit) = (message.body_bytes(), self.max_body);
        if size > limit {
            return Err(rejected(format!(
                "the request would have a body of {size} bytes: at most {limit} are allowed"
            )));
        }
        let exchanged = timeout_at(until, self.exchange(&message, until)).await;
        let (mut connection, response) = exchanged.unwrap_or_else(|_| {
            Err(unavailable(format!(
                "the receiver gave no answer within {:?}",
                self.deadline
            )))
        })?;
        let (head, incoming) = response.into_parts();
        let body = Body::read(incoming, until).await;
        let soon = until.min(Instant::now() + READY_WAIT);
        if body.is_complete && connection.becomes_ready(soon).await {
            self.idle.put(connection);
        }
        let stop = answer::stop(head.status, &head.headers, &body, size, &self.redaction);
        stop.map_or(Ok(()), Err)
    }

    /// The receiver's answer, up to its body.
    async fn exchange(
        &self,
        message: &Message,
        until: Instant,
    ) -> Result<(Connection, Response<Incoming>), Stop> {
        let request = || {
            let request = message.request(&self.envelope, SystemTime::now());
            request.map_err(|error| rejected(format!("no request can be made of it: {error}")))
        };
        let mut may_have_arrived = false;
        if let Some(mut connection) = self.idle.take() {
            match connection.send(request()?).await {
                Ok(response) => return Ok((connection, response)),
                // It was idle, so the receiver may have closed it at the same moment. The event keeps its id, so it does
                // no harm if it arrives again.
                Err(error) => may_have_arrived = !error.is_canceled(),
            }
        }
        let mut connection = self.connector.connect(until).await.map_err(|error| {
            if may_have_arrived {
                unknown(format!("the connection broke off, and then {error}"))
            } else {
                unavailable(error.to_string())
            }
        })?;
        match connection.send(request()?).await {
            Ok(response) => Ok((connection, response)),
            Err(error) if error.is_canceled() && !may_have_arrived => Err(unavailable(
                "the receiver closed the connection before the request was sent".to_owned(),
            )),
            Err(error) => Err(unknown(format!(
                "the receiver may have it, but gave no proper answer: {}",
                with_causes(&error)
            ))),
        }
    }
}

#[async_trait]
impl EventSink for WebhookSink {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let begun_at = Instant::now();
        for (stored, event) in events.iter().enumerate() {
            // What is begun late would be cut off in the middle. The rest is offered again.
            if stored > 0 && begun_at.elapsed() >= self.deadline / 2 {
                let (all, time) = (events.len(), begun_at.elapsed());
                let reason =
                    format!("the receiver is slow: {stored} of {all} events took {time:.1?}");
                let stop = Some(unavailable(reason));
                return Published { stored, stop };
            }
            let event = CloudEvent::new(run, claim_no, event);
            if let Err(stop) = self.offer(&event, begun_at + self.deadline).await {
                return Published {
                    stored,
                    stop: Some(stop),
                };
            }
        }
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink")
            .field("destination", &self.destination)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

fn unavailable(reason: String) -> Stop {
    Stop::Unavailable {
        reason: SafeText::new(reason),
        retry_after: None,
    }
}

fn rejected(reason: String) -> Stop {
    Stop::Rejected {
        reason: SafeText::new(reason),
    }
}

fn unknown(reason: String) -> Stop {
    Stop::Unknown {
        reason: SafeText::new(reason),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
