//! The commands that deliver.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args as ClapArgs, ValueEnum, value_parser};
use dvt_contracts::{Destination, MAX_CLAIM, OnExhausted, RetryPolicy};
use dvt_relay::RelaySettings;

use super::store::{ENVIRONMENT, StoreArgs};
use crate::failure::{EXIT_CODES, Failure};

const RELAY_EXAMPLES: &str = "\
Examples:
  dvt relay --to 'nats://localhost:4222/dvt.{tenant}.{run}'
  dvt relay --to https://hooks.example.com/runs --webhook-secrets-file /run/secrets/hooks
  dvt relay --to 'amqp://guest@localhost/runs?routing_key=dvt.{tenant}.{run}' --metrics 0.0.0.0:9464
  dvt relay --to stdout: --once > delivered.ndjson

Events come at least once and in order per run: consumers deduplicate by the event id. While the
bus is down nothing is lost and nobody is charged, but for an event that failed before and whose run
is the only one left; an event that the bus refuses while others get through backs off alone, and
parks its run after --max-attempts: see dvt outbox. Several relays share the work. SIGTERM and ctrl-c
finish what is in flight; a second one ends at once, and leases end by their time.
";

/// What a sink reads from the environment, as `--help` lists it.
const SECRETS: &str = "\
Secrets:
  DVT_SINK_PASSWORD        the password for nats: and amqp:, unless --sink-password-file names a file
  DVT_WEBHOOK_SECRETS      one or two whsec_ secrets, unless --webhook-secrets-file names a file
  DVT_WEBHOOK_AUTHORIZATION  the Authorization header of each webhook request
";

/// `dvt relay`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{RELAY_EXAMPLES}\n{ENVIRONMENT}\n{SECRETS}\n{EXIT_CODES}"))]
pub(crate) struct RelayArgs {
    /// Where to: `stdout:`, `https://…`, `nats://HOST/SUBJECT`, `amqp://HOST/EXCHANGE`.
    ///
    /// Subjects and routing keys are templates: {tenant}, {run}, {step} and {event_type} are filled in, percent-encoded.
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Deliver what is due, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// What the outbox calls its receiver. An outbox has one, and keeps the first that it is told.
    /// [default: the URL without its secrets]
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<Destination>,
    /// Serve /metrics for Prometheus, /healthz and /readyz at this address, such as 127.0.0.1:9464.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Print the summary as one JSON object; to standard error if events go to standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// What may be held and waited for.
    #[command(flatten)]
    pub(crate) bounds: BoundsArgs,
    /// How to reach the sink.
    #[command(flatten)]
    pub(crate) sink: SinkArgs,
    /// Where the events are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// The bounds of a relay.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Bounds")]
pub(crate) struct BoundsArgs {
    /// Publish at most this many runs at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..=i64::from(MAX_CLAIM)))]
    pub(crate) max_runs: u32,
    /// Claim at most this many events of a run at once.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=i64::from(MAX_CLAIM)))]
    pub(crate) max_events: u32,
    /// Hold at most this many bytes of payload.
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    pub(crate) max_bytes: ByteSize,
    /// How long a run stays ours if this process dies; it is extended while work goes on.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) lease: humantime::Duration,
    /// A publish that takes longer counts as unavailable. [default: 10s; 24h for stdout:]
    #[arg(long, value_name = "TIME")]
    pub(crate) publish_timeout: Option<humantime::Duration>,
    /// Failed deliveries of one event until it becomes a dead letter.
    #[arg(long, value_name = "N", default_value = "10")]
    pub(crate) max_attempts: NonZeroU32,
    /// The longest delay after a first failed delivery; it doubles with each further one.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(crate) retry_initial: humantime::Duration,
    /// The longest delay after any.
    #[arg(long, value_name = "TIME", default_value = "5m")]
    pub(crate) retry_cap: humantime::Duration,
    /// What becomes of an event whose attempts are used up.
    #[arg(long, value_enum, default_value_t = Exhausted::Park)]
    pub(crate) on_exhausted: Exhausted,
    /// The longest wait between two looks for work.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(crate) poll_interval: humantime::Duration,
    /// How long a failed publish waits for another run to get through before it counts as an outage.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(crate) verdict_within: humantime::Duration,
    /// The longest wait between two probes of a sink that is down.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) probe_interval: humantime::Duration,
    /// How long to finish what is in flight when told to stop.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) stop_within: humantime::Duration,
}

/// What becomes of an event whose attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exhausted {
    /// It becomes a dead letter, and its run waits for an operator.
    Park,
    /// It becomes a dead letter, and its run goes on without it.
    Skip,
}

/// How to reach a sink.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Sink")]
pub(crate) struct SinkArgs {
    /// The file with the password for nats: or amqp:.
    #[arg(long, value_name = "FILE")]
    pub(crate) sink_password_file: Option<PathBuf>,
    /// Certificates to trust besides the usual ones, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) sink_ca: Option<PathBuf>,
    /// The file with the credentials (JWT and key) for nats:.
    #[arg(long, value_name = "FILE")]
    pub(crate) nats_credentials: Option<PathBuf>,
    /// The JetStream stream that takes the subjects. [default: the one that there is]
    #[arg(long, value_name = "NAME")]
    pub(crate) nats_stream: Option<String>,
    /// Make the stream if there is none: on disk, without limits, with a duplicate window of 10 minutes.
    #[arg(long)]
    pub(crate) nats_create_stream: bool,
    /// How a webhook gets its CloudEvents.
    #[arg(long, value_enum, default_value_t = WebhookMode::Structured)]
    pub(crate) webhook_mode: WebhookMode,
    /// The file with one or two secrets that sign webhooks: two while one replaces the other.
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_secrets_file: Option<PathBuf>,
    /// Allow webhooks to private, loopback and link-local addresses.
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Allow webhooks without TLS.
    #[arg(long)]
    pub(crate) allow_http: bool,
}

/// How a webhook gets its CloudEvents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum WebhookMode {
    /// One JSON object with attributes and data.
    #[default]
    Structured,
    /// The attributes as headers, the payload as body.
    Binary,
}

impl BoundsArgs {
    /// The settings of a relay to this destination; a publish may take so long if no flag says otherwise.
    pub(crate) fn settings(
        &self,
        destination: Destination,
        publish_timeout: Duration,
    ) -> Result<RelaySettings, Failure> {
        let (initial, cap) = (self.retry_initial.into(), self.retry_cap.into());
        let retry = RetryPolicy::new(self.max_attempts, initial, cap).map_err(|_| {
            Failure::Usage(format!(
                "--retry-initial {} and --retry-cap {} do not fit: use 1ms to 365days, the first not above the second",
                self.retry_initial, self.retry_cap
            ))
        })?;
        Ok(RelaySettings {
            max_runs_in_flight: self.max_runs,
            max_events_per_run: self.max_events,
            max_bytes_in_flight: self.max_bytes.as_u64().max(1),
            lease: self.lease.into(),
            publish_timeout: self.publish_timeout.map_or(publish_timeout, Into::into),
            retry: retry.with_on_exhausted(match self.on_exhausted {
                Exhausted::Park => OnExhausted::Park,
                Exhausted::Skip => OnExhausted::Skip,
            }),
            poll_interval: self.poll_interval.into(),
            verdict_within: self.verdict_within.into(),
            probe_interval: self.probe_interval.into(),
            stop_within: self.stop_within.into(),
            ..RelaySettings::new(destination)
        })
    }
}

const DRAIN_EXAMPLES: &str = "\
Examples:
  dvt drain >> delivered.ndjson
  dvt drain | your-consumer

The same as dvt relay --once --to stdout:, which has more flags.
Events come at least once and in order per run: deduplicate by event_id. They are acknowledged once
they are written and flushed; what a reader that goes away did not take comes again.
If nothing is due it says how many runs are leased to another receiver, backing off after a failed
delivery, or parked until an operator decides.
";

/// `dvt drain`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{DRAIN_EXAMPLES}\n{ENVIRONMENT}\n{EXIT_CODES}"))]
pub(crate) struct DrainArgs {
    /// What the outbox calls its receiver. An outbox has one, and keeps the first that it is told.
    #[arg(long, value_name = "NAME", default_value = crate::relay::STDOUT)]
    pub(crate) destination: Destination,
    /// Claim at most this many runs at once.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 64,
        value_parser = value_parser!(u32).range(1..=i64::from(MAX_CLAIM))
    )]
    pub(crate) max_runs: u32,
    /// Where the events are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
