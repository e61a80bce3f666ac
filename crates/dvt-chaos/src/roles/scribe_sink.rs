use std::path::PathBuf;

use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, SafeText, Stop};

use crate::fingerprint;
use crate::history::Arrival;
use crate::scribe::{self, Offer, SinkStop, Taken};

/// The campaign's sink: the scribe, which answers for what it has written down.
#[derive(Debug)]
pub(crate) struct ScribeSink {
    pub(crate) folder: PathBuf,
    /// Whose relay publishes.
    pub(crate) name: String,
}

#[async_trait]
impl EventSink for ScribeSink {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let told = events.iter().map(|event| {
            let key = event.event.idempotency_key().as_str().to_owned();
            (event.run_seq, key, fingerprint::of(&event.event))
        });
        let arrival = Arrival {
            run: run.to_string(),
            claim_no,
            events: told.collect(),
        };
        let offer = Offer {
            by: self.name.clone(),
            arrival,
        };
        match scribe::offer(&self.folder, &offer).await {
            Ok(Taken { stored, stop }) => Published {
                stored,
                stop: stop.map(why),
            },
            Err(error) => Published {
                stored: 0,
                stop: Some(Stop::Unknown {
                    reason: SafeText::new(error.to_string()),
                }),
            },
        }
    }
}

fn why(stop: SinkStop) -> Stop {
    match stop {
        SinkStop::Rejected => Stop::Rejected {
            reason: SafeText::new("the sink refuses this event"),
        },
        SinkStop::Unavailable => Stop::Unavailable {
            reason: SafeText::new("the sink is down"),
            retry_after: None,
        },
        SinkStop::Unknown => Stop::Unknown {
            reason: SafeText::new("the sink's answer was lost"),
        },
    }
}
