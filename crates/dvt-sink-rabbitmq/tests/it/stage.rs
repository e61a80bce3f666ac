//! What most tests begin with.

use std::time::Duration;

use dvt_conformance::fixture;
use dvt_contracts::{EventSink as _, Published, RunEvent, RunKey, Stop, Timestamp};
use dvt_sink_rabbitmq::{RabbitMqSettings, RabbitMqSink};

use crate::broker::{Broker, address, userinfo};
use crate::proxy::Proxy;

/// Far longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// Short enough to wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

pub(crate) fn run() -> RunKey {
    fixture::run("nightly/7")
}

/// So many stored events of a run.
pub(crate) fn events(count: u64) -> Vec<RunEvent> {
    let stored = |run_seq| RunEvent {
        run_seq,
        persisted_at: Timestamp::now(),
        event: fixture::note(&format!("k{run_seq}")),
    };
    (1..=count).map(stored).collect()
}

/// Straight to the server.
pub(crate) fn settings(broker: &Broker) -> RabbitMqSettings {
    at(&address(), &broker.exchange)
}

/// To this exchange by way of the proxy.
pub(crate) fn by_way_of(proxy: &Proxy, broker: &Broker) -> RabbitMqSettings {
    at(&proxy.address.to_string(), &broker.exchange)
}

pub(crate) fn at(address: &str, path: &str) -> RabbitMqSettings {
    RabbitMqSettings::from_url(&format!("amqp://{}@{address}/{path}", userinfo()))
        .unwrap()
        .with_connect_timeout(LONG)
        .unwrap()
        .with_confirm_timeout(LONG)
        .unwrap()
        .with_deadline(LONG)
        .unwrap()
}

/// Offers so many events.
pub(crate) async fn publish(sink: &RabbitMqSink, count: u64) -> Published {
    sink.publish(&run(), 1, &events(count)).await
}

pub(crate) fn all(count: usize) -> Published {
    Published {
        stored: count,
        stop: None,
    }
}

/// How far it came, and the reason why it is unavailable.
#[track_caller]
pub(crate) fn unavailable(published: &Published) -> (usize, String) {
    match &published.stop {
        Some(Stop::Unavailable {
            reason,
            retry_after: None,
        }) => (published.stored, reason.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn rejected(published: &Published) -> (usize, String) {
    match &published.stop {
        Some(Stop::Rejected { reason }) => (published.stored, reason.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn unknown(published: &Published) -> (usize, String) {
    match &published.stop {
        Some(Stop::Unknown { reason }) => (published.stored, reason.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

/// Tries again until it works.
pub(crate) async fn until_stored(sink: &RabbitMqSink, count: u64) {
    let stored = tokio::time::timeout(LONG, async {
        while publish(sink, count).await.stop.is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    stored.await.unwrap();
}
