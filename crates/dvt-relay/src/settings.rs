use std::time::Duration;

use dvt_contracts::{Destination, MAX_CLAIM, MAX_LEASE, MIN_LEASE, RetryPolicy};

/// How a relay works. Every bound is here; the defaults suit a bus in the same network.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// What the outbox calls the sink. A store that delivers to somewhere else refuses the relay.
    pub destination: Destination,
    /// At most this many runs are published at once: 1 to [`MAX_CLAIM`]. 64.
    pub max_runs_in_flight: u32,
    /// At most this many events of a run are claimed at once: 1 to [`MAX_CLAIM`]. 100.
    pub max_events_per_run: u32,
    /// At most this many payload bytes are held at once, but one event of each claim at least. 16 MiB.
    pub max_bytes_in_flight: u64,
    /// How long a run stays ours if this process dies: [`MIN_LEASE`] to [`MAX_LEASE`]. It is lengthened while a publish
    /// takes longer. 30 s.
    pub lease: Duration,
    /// A publish that takes longer counts as unavailable. 10 s.
    pub publish_timeout: Duration,
    /// What failed deliveries lead to.
    pub retry: RetryPolicy,
    /// The longest wait between two looks for work. The first look after an empty one comes after a fiftieth of it, each
    /// further one after twice as long. 1 s.
    pub poll_interval: Duration,
    /// How long a failed publish may wait for another run to get through before it counts as an outage. 1 s.
    pub verdict_within: Duration,
    /// The longest wait between two probes of a sink that is down; the first comes within a hundredth of it. 30 s.
    pub probe_interval: Duration,
    /// How long a relay that was told to stop may finish what is in flight. 10 s.
    pub stop_within: Duration,
}

/// A bound that no relay can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is out of range: {rule}")]
pub struct InvalidRelaySettings {
    /// The setting.
    pub name: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

impl RelaySettings {
    /// The defaults, for this destination.
    #[must_use]
    pub fn new(destination: Destination) -> Self {
        Self {
            destination,
            max_runs_in_flight: 64,
            max_events_per_run: 100,
            max_bytes_in_flight: 16 * 1024 * 1024,
            lease: Duration::from_secs(30),
            publish_timeout: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            poll_interval: Duration::from_secs(1),
            verdict_within: Duration::from_secs(1),
            probe_interval: Duration::from_secs(30),
            stop_within: Duration::from_secs(10),
        }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidRelaySettings> {
        let counts = 1..=MAX_CLAIM;
        let waits = Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);
        let rules = [
            (
                "max_runs_in_flight",
                counts.contains(&self.max_runs_in_flight),
                "use 1 to 1,000",
            ),
            (
                "max_events_per_run",
                counts.contains(&self.max_events_per_run),
                "use 1 to 1,000",
            ),
            (
                "max_bytes_in_flight",
                self.max_bytes_in_flight > 0,
                "use 1 or more",
            ),
            (
                "stop_within",
                self.stop_within <= *waits.end(),
                "use 24 h at most",
            ),
            (
                "lease",
                (MIN_LEASE..=MAX_LEASE).contains(&self.lease),
                "use 1 ms to 24 h",
            ),
            (
                "publish_timeout",
                waits.contains(&self.publish_timeout),
                "use 1 ms to 24 h",
            ),
            (
                "poll_interval",
                waits.contains(&self.poll_interval),
                "use 1 ms to 24 h",
            ),
            (
                "verdict_within",
                waits.contains(&self.verdict_within),
                "use 1 ms to 24 h",
            ),
            (
                "probe_interval",
                waits.contains(&self.probe_interval),
                "use 1 ms to 24 h",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((name, _, rule)) => Err(InvalidRelaySettings { name, rule }),
            None => Ok(()),
        }
    }
}
