use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{Destination, EventSink};

use super::STDOUT;
use super::lines::LineSink;
use crate::args::SinkArgs;
use crate::console::SharedWriter;
use crate::failure::Failure;

/// Where `--to` points, checked and not yet reached.
#[derive(Debug)]
pub(crate) enum Target {
    /// Standard output.
    Stdout,
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
    /// Reads the URL and what belongs to it. Reaches nothing.
    pub(crate) fn new(to: &str, _args: &SinkArgs) -> Result<Self, Failure> {
        match to.split_once(':').map(|(scheme, _)| scheme) {
            Some("stdout") if to == STDOUT => Ok(Self::Stdout),
            _ => Err(Failure::Usage(format!(
                "--to {to:?} is no place to deliver to: use stdout:, https://…, nats://… or amqp://…"
            ))),
        }
    }

    /// What an outbox calls it, unless it is told another name.
    pub(crate) fn destination(&self) -> Result<Destination, Failure> {
        Destination::new(self.to_string()).map_err(|error| Failure::Usage(error.to_string()))
    }

    /// How long a publish may take before it counts as unavailable.
    pub(crate) fn publish_timeout(&self) -> Duration {
        match self {
            // Whoever reads standard output may take the time to think.
            Self::Stdout => Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Reaches the sink, and checks that what it needs is there.
    pub(crate) async fn connect(self, out: SharedWriter) -> Result<Outlet, Failure> {
        match self {
            Self::Stdout => {
                let lines = LineSink::ndjson(out).map_err(Failure::Runtime)?;
                Ok(Outlet::of_lines(lines))
            }
        }
    }
}

impl Outlet {
    /// Lines on this process's output.
    pub(crate) fn of_lines(lines: LineSink) -> Self {
        let lines = Arc::new(lines);
        Self {
            sink: Arc::<LineSink>::clone(&lines),
            lines: Some(lines),
        }
    }
}

impl fmt::Display for Target {
    /// The URL without its secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str(STDOUT),
        }
    }
}
