//! What most tests begin with.

use std::time::Duration;

use dvt_conformance::fixture;
use dvt_contracts::{EventSink as _, Published, RunEvent, RunKey, SafeText, Stop, Timestamp};
use dvt_sink_webhook::{WebhookSettings, WebhookSink};

use crate::receiver::Receiver;

/// Far longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// Short enough to wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

pub(crate) fn run() -> RunKey {
    fixture::run("nightly/7")
}

/// So many stored events of the run.
pub(crate) fn events(count: u64) -> Vec<RunEvent> {
    let stored = |run_seq| RunEvent {
        run_seq,
        persisted_at: Timestamp::now(),
        event: fixture::note(&format!("k{run_seq}")),
    };
    (1..=count).map(stored).collect()
}

/// For a receiver in this process.
pub(crate) fn settings(receiver: &Receiver) -> WebhookSettings {
    WebhookSettings::from_url(&receiver.url("/hook"))
        .unwrap()
        .with_private_addresses(true)
        .with_plaintext(true)
        .with_deadline(LONG)
        .unwrap()
}

pub(crate) async fn sink(receiver: &Receiver) -> WebhookSink {
    WebhookSink::connect(settings(receiver)).await.unwrap()
}

/// Offers so many events.
pub(crate) async fn publish(sink: &WebhookSink, count: u64) -> Published {
    sink.publish(&run(), 1, &events(count)).await
}

pub(crate) fn all(count: usize) -> Published {
    Published {
        stored: count,
        stop: None,
    }
}

pub(crate) fn unavailable(stored: usize, reason: &str, seconds: Option<u64>) -> Published {
    let stop = Some(Stop::Unavailable {
        reason: SafeText::new(reason),
        retry_after: seconds.map(Duration::from_secs),
    });
    Published { stored, stop }
}

pub(crate) fn rejected(stored: usize, reason: &str) -> Published {
    let stop = Some(Stop::Rejected {
        reason: SafeText::new(reason),
    });
    Published { stored, stop }
}

/// The reason of an unknown end.
#[track_caller]
pub(crate) fn unknown(published: &Published) -> String {
    match &published.stop {
        Some(Stop::Unknown { reason }) => reason.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Waits for a condition.
pub(crate) async fn wait_until(holds: impl Fn() -> bool + Send + Sync) {
    let held = tokio::time::timeout(LONG, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    held.await.unwrap();
}
