use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{EventSink, Payload, Published, RunEvent, RunKey};

use crate::fingerprint;
use crate::roles::ScribeSink;

/// A sink with a bug.
#[derive(Debug)]
pub(super) struct PlantedSink {
    pub(super) bug: String,
    pub(super) sink: Arc<ScribeSink>,
}

/// About one event of so many.
fn is_one_of(many: u64, event: &RunEvent) -> bool {
    fingerprint::key(event.event.idempotency_key().as_str()).is_multiple_of(many)
}

#[async_trait]
impl EventSink for PlantedSink {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let all = Published {
            stored: events.len(),
            stop: None,
        };
        let mut events = events.to_vec();
        match self.bug.as_str() {
            "acknowledges-first" => {
                let (sink, run) = (Arc::clone(&self.sink), run.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    sink.publish(&run, claim_no, &events).await
                });
                return all;
            }
            "drops-events" => {
                events.retain(|event| !is_one_of(100, event));
                // What is left of them is judged by the sink; the rest counts as published.
                return match events.is_empty() {
                    true => all,
                    false => match self.sink.publish(run, claim_no, &events).await {
                        Published { stop: None, .. } => all,
                        stopped => Published {
                            stored: 0,
                            ..stopped
                        },
                    },
                };
            }
            "publishes-out-of-order" => {
                for pair in events.chunks_exact_mut(2) {
                    pair.swap(0, 1);
                }
            }
            "changes-on-publish" => {
                for event in events.iter_mut().filter(|event| is_one_of(100, event)) {
                    if let Ok(payload) = Payload::new(r#"{"changed":1}"#) {
                        event.event = event.event.clone().with_payload(payload);
                    }
                }
            }
            _ => {}
        }
        self.sink.publish(run, claim_no, &events).await
    }
}
