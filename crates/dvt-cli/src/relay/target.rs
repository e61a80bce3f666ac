use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{Destination, EventSink, InvalidIdentifier};
use dvt_sink_nats::{NatsSettings, NatsSink};
use dvt_sink_rabbitmq::{RabbitMqSettings, RabbitMqSink};
use dvt_sink_webhook::{WebhookConnectError, WebhookSettings, WebhookSink};

use super::STDOUT;
use super::lines::LineSink;
use crate::args::SinkArgs;
use crate::console::SharedWriter;
use crate::failure::{Failure, chain};

#[cfg(test)]
mod fuzz;
mod settings;

/// Where `--to` points, checked and not yet reached.
#[derive(Debug)]
pub(crate) enum Target {
    /// Standard output.
    Stdout,
    /// A NATS server.
    Nats(Box<NatsSettings>),
    /// A RabbitMQ server.
    RabbitMq(Box<RabbitMqSettings>),
    /// A receiver of webhooks.
    Webhook(Box<WebhookSettings>),
}

/// A sink that is reached.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    /// What the relay publishes to.
    pub(crate) sink: Arc<dyn EventSink>,
    /// The same, if it writes to this process's output.
    pub(crate) lines: Option<Arc<LineSink>>,
}

impl Target {
    /// Reads the URL and what belongs to it: files and the environment. Reaches nothing.
    pub(crate) fn new(
        to: &str,
        args: &SinkArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let scheme = to.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "stdout" if to == STDOUT => Ok(Self::Stdout),
            "nats" | "tls" => Ok(Self::Nats(Box::new(settings::nats(to, args, variable)?))),
            "amqp" | "amqps" => {
                let settings = settings::rabbitmq(to, args, variable)?;
                Ok(Self::RabbitMq(Box::new(settings)))
            }
            "https" | "http" => {
                let settings = settings::webhook(to, args, variable)?;
                Ok(Self::Webhook(Box::new(settings)))
            }
            _ => Err(Failure::Usage(format!(
                "--to {:?} is no place to deliver to: use stdout:, https://…, nats://… or amqp://…",
                without_secrets(to)
            ))),
        }
    }

    /// What an outbox calls it, unless it is told another name: the URL without its secrets.
    pub(crate) fn destination(&self) -> Result<Destination, Failure> {
        let named = match self {
            Self::Stdout => Destination::new(STDOUT),
            Self::Nats(settings) => settings.destination(),
            Self::RabbitMq(settings) => Ok(settings.destination()),
            Self::Webhook(settings) => Ok(settings.destination()),
        };
        named.map_err(|error: InvalidIdentifier| {
            Failure::Usage(format!("{error}: give it a short name with --destination"))
        })
    }

    /// How long a publish may take before it counts as unavailable.
    pub(crate) fn publish_timeout(&self) -> Duration {
        match self {
            // Whoever reads standard output may take the time to think.
            Self::Stdout => Duration::from_secs(24 * 60 * 60),
            Self::Nats(_) | Self::RabbitMq(_) | Self::Webhook(_) => Duration::from_secs(10),
        }
    }

    /// The same, its own deadlines below the time after which the relay gives a publish up: a sink that says how far it came
    /// need not begin again.
    pub(crate) fn with_publish_timeout(self, publish_timeout: Duration) -> Result<Self, Failure> {
        let deadline = publish_timeout.mul_f64(0.8).max(Duration::from_millis(1));
        let usage = |error: &dyn std::error::Error| {
            Failure::Usage(format!("--publish-timeout: {}", chain(error)))
        };
        Ok(match self {
            Self::Stdout => self,
            Self::Nats(settings) => Self::Nats(Box::new(settings.with_deadline(deadline))),
            Self::RabbitMq(settings) => match settings.with_deadline(deadline) {
                Ok(settings) => Self::RabbitMq(Box::new(settings)),
                Err(error) => return Err(usage(&error)),
            },
            Self::Webhook(settings) => match settings.with_deadline(deadline) {
                Ok(settings) => Self::Webhook(Box::new(settings)),
                Err(error) => return Err(usage(&error)),
            },
        })
    }

    /// Reaches the sink, and checks that what it needs is there.
    pub(crate) async fn connect(self, out: SharedWriter) -> Result<Outlet, Failure> {
        let name = self.destination()?;
        let failed = |error: &dyn std::error::Error| Failure::Sink {
            sink: name.to_string(),
            reason: chain(error),
        };
        match self {
            Self::Stdout => {
                let lines = LineSink::ndjson(out).map_err(Failure::Runtime)?;
                Ok(Outlet::of_lines(lines))
            }
            Self::Nats(settings) => match NatsSink::connect(*settings).await {
                Ok(sink) => Ok(Outlet::of(sink)),
                Err(error) => Err(failed(&error)),
            },
            Self::RabbitMq(settings) => match RabbitMqSink::connect(*settings).await {
                Ok(sink) => Ok(Outlet::of(sink)),
                Err(error) => Err(failed(&error)),
            },
            Self::Webhook(settings) => match WebhookSink::connect(*settings).await {
                Ok(sink) => Ok(Outlet::of(sink)),
                Err(error @ WebhookConnectError::Plaintext) => {
                    Err(Failure::Usage(error.to_string()))
                }
                Err(error) => Err(failed(&error)),
            },
        }
    }
}

impl Outlet {
    fn of(sink: impl EventSink + 'static) -> Self {
        Self {
            sink: Arc::new(sink),
            lines: None,
        }
    }

    /// Lines on this process's output.
    pub(crate) fn of_lines(lines: LineSink) -> Self {
        let lines = Arc::new(lines);
        Self {
            sink: Arc::<LineSink>::clone(&lines),
            lines: Some(lines),
        }
    }
}

/// A URL that nobody understands may still hold a password, and nobody knows where: only its scheme is shown, or a plain word.
fn without_secrets(to: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-+.".contains(c);
    match to.split_once(':') {
        Some((scheme, "")) if scheme.chars().all(is_plain) => format!("{scheme}:"),
        Some((scheme, _)) if scheme.chars().all(is_plain) => format!("{scheme}:…"),
        None if to.chars().all(is_plain) => to.to_owned(),
        _ => "…".to_owned(),
    }
}
