use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{Destination, EventSink, InvalidIdentifier};
use dvt_sink_nats::{NatsSettings, NatsSink};

use super::STDOUT;
use super::lines::LineSink;
use crate::args::SinkArgs;
use crate::console::SharedWriter;
use crate::failure::{Failure, chain};

/// Where `--to` points, checked and not yet reached.
#[derive(Debug)]
pub(crate) enum Target {
    /// Standard output.
    Stdout,
    /// A NATS server.
    Nats(Box<NatsSettings>),
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
            "nats" | "tls" => nats(to, args, variable),
            _ => Err(Failure::Usage(format!(
                "--to {:?} is no place to deliver to: use stdout:, https://…, nats://… or amqp://…",
                without_login(to)
            ))),
        }
    }

    /// What an outbox calls it, unless it is told another name: the URL without its secrets.
    pub(crate) fn destination(&self) -> Result<Destination, Failure> {
        let named = match self {
            Self::Stdout => Destination::new(STDOUT),
            Self::Nats(settings) => settings.destination(),
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
            Self::Nats(_) => Duration::from_secs(10),
        }
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

fn nats(
    to: &str,
    args: &SinkArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Target, Failure> {
    let mut settings = NatsSettings::from_url(to).map_err(|error| usage(&error))?;
    if let Some(stream) = &args.nats_stream {
        settings = settings.with_stream(stream);
    }
    if args.nats_create_stream {
        settings = settings.with_stream_created();
    }
    if let Some(password) = password(args, variable)? {
        settings = settings.with_password(password);
    }
    if let Some(file) = &args.nats_credentials {
        readable(file)?;
        settings = settings.with_credentials_file(file);
    }
    if let Some(file) = &args.sink_ca {
        readable(file)?;
        settings = settings.with_root_certificates(file);
    }
    Ok(Target::Nats(Box::new(settings)))
}

/// The password, from its file or the environment.
fn password(
    args: &SinkArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, Failure> {
    match &args.sink_password_file {
        Some(file) => readable(file).map(Some),
        None => Ok(variable("DVT_SINK_PASSWORD")),
    }
}

/// What a file of secrets says, without the line end that editors add.
fn readable(file: &Path) -> Result<String, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(Failure::Usage(format!(
            "cannot read {}: {error}",
            file.display()
        ))),
    }
}

fn usage(error: &dyn std::error::Error) -> Failure {
    Failure::Usage(format!("--to: {}", chain(error)))
}

/// A URL that nobody understands may still hold a password.
fn without_login(to: &str) -> String {
    match to.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => to.to_owned(),
    }
}
