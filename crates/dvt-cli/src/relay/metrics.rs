use std::fmt;
use std::time::{Duration, Instant};

use dvt_contracts::OutboxStats;
use dvt_relay::RelayEvent;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What Prometheus is told. The names are part of the command's interface; `docs/runbooks/outbox.md` reads them.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    delivered: Counter,
    rejected: Counter,
    leases_lost: Counter,
    store_failures: Counter,
    unavailable: Counter<f64, std::sync::atomic::AtomicU64>,
    sink_up: Gauge,
    claim: Histogram,
    publish: Histogram,
    outbox: OutboxGauges,
}

/// The whole store, whoever delivers it.
#[derive(Debug, Default)]
struct OutboxGauges {
    pending_events: Gauge,
    oldest_pending_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    runs: Family<StateLabel, Gauge>,
    dead_letters: Gauge,
    skipped_events: Gauge,
    stats_time: Gauge<f64, std::sync::atomic::AtomicU64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(
    non_camel_case_types,
    reason = "the names are those of the label's values"
)]
enum State {
    due,
    leased,
    backing_off,
    parked,
}

/// From a tenth of a millisecond to some 100 s: the waits of a local store up to the longest deadlines.
fn waits() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 21))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            delivered: Counter::default(),
            rejected: Counter::default(),
            leases_lost: Counter::default(),
            store_failures: Counter::default(),
            unavailable: Counter::default(),
            sink_up: Gauge::default(),
            claim: waits(),
            publish: waits(),
            outbox: OutboxGauges::default(),
        };
        metrics.sink_up.set(1);
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "dvt_relay_delivered_events",
            "Events that the sink stored and the outbox was told of",
            self.delivered.clone(),
        );
        registry.register(
            "dvt_relay_rejected",
            "Failed attempts charged to events",
            self.rejected.clone(),
        );
        registry.register(
            "dvt_relay_leases_lost",
            "Leases lost to the clock or to another relay",
            self.leases_lost.clone(),
        );
        registry.register(
            "dvt_relay_store_failures",
            "Calls of the store that failed and were repeated",
            self.store_failures.clone(),
        );
        registry.register(
            "dvt_relay_unavailable_seconds",
            "Time in which the sink was down",
            self.unavailable.clone(),
        );
        registry.register(
            "dvt_relay_sink_up",
            "1 while the sink takes events, 0 while it is down",
            self.sink_up.clone(),
        );
        registry.register(
            "dvt_relay_claim_seconds",
            "Time that a claim took",
            self.claim.clone(),
        );
        registry.register(
            "dvt_relay_publish_seconds",
            "Time that the sink took for the events of one run",
            self.publish.clone(),
        );
        self.outbox.register(registry);
    }

    /// Counts what happened.
    pub(crate) fn count(&self, event: &RelayEvent<'_>) {
        match event {
            RelayEvent::Claimed { took, .. } => self.claim.observe(took.as_secs_f64()),
            RelayEvent::Published { took, .. } => self.publish.observe(took.as_secs_f64()),
            RelayEvent::Delivered { events } => {
                self.delivered.inc_by(*events);
            }
            RelayEvent::Charged { .. } => {
                self.rejected.inc();
            }
            RelayEvent::LeaseLost { .. } => {
                self.leases_lost.inc();
            }
            RelayEvent::StoreFailed { .. } => {
                self.store_failures.inc();
            }
            RelayEvent::SinkDown { .. } => {
                self.sink_up.set(0);
            }
            RelayEvent::SinkUp => {
                self.sink_up.set(1);
            }
            _ => {}
        }
    }

    /// Adds time in which the sink was down.
    pub(crate) fn unavailable(&self, time: Duration) {
        self.unavailable.inc_by(time.as_secs_f64());
    }

    /// Takes over what the store says of its outbox.
    pub(crate) fn set_outbox(&self, stats: &OutboxStats) {
        self.outbox.set(stats);
    }

    /// The exposition in OpenMetrics' text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl OutboxGauges {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "dvt_outbox_pending_events",
            "Events of the store that are neither delivered nor dead",
            self.pending_events.clone(),
        );
        registry.register(
            "dvt_outbox_oldest_pending_age_seconds",
            "Age of the oldest undelivered event, dead or not; 0 if there is none",
            self.oldest_pending_age.clone(),
        );
        registry.register(
            "dvt_outbox_runs",
            "Runs with undelivered events, by what they wait for",
            self.runs.clone(),
        );
        registry.register(
            "dvt_outbox_dead_letters",
            "Dead letters, resolved or not",
            self.dead_letters.clone(),
        );
        registry.register(
            "dvt_outbox_skipped_events",
            "Events that were given up for good",
            self.skipped_events.clone(),
        );
        registry.register(
            "dvt_outbox_stats_timestamp_seconds",
            "When the store was asked for these numbers last; 0 if it has not answered yet",
            self.stats_time.clone(),
        );
    }

    fn set(&self, stats: &OutboxStats) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let states = [
            (State::due, stats.due_runs),
            (State::leased, stats.leased_runs),
            (State::backing_off, stats.backing_off_runs),
            (State::parked, stats.parked_runs),
        ];
        for (state, runs) in states {
            self.runs
                .get_or_create(&StateLabel { state })
                .set(whole(runs));
        }
        self.pending_events.set(whole(stats.pending_events));
        self.dead_letters.set(whole(stats.dead_letters));
        self.skipped_events.set(whole(stats.skipped_events));
        let age = stats.oldest_pending_age.unwrap_or_default();
        self.oldest_pending_age.set(age.as_secs_f64());
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.stats_time.set(now.as_secs_f64());
    }
}

/// A stretch of time in which the sink is down, counted as it goes on.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    counted_until: Option<Instant>,
}

impl Outage {
    /// The sink is down, or not, from now on; returns how much longer it was down than was counted before.
    pub(crate) fn advance(&mut self, is_down: bool) -> Duration {
        let now = Instant::now();
        let more = self.counted_until.map(|until| now - until);
        self.counted_until = is_down.then_some(now);
        more.unwrap_or_default()
    }
}
