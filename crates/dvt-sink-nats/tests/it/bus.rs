use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use dvt_cloudevents::Received;
use dvt_conformance::fixture;
use dvt_contracts::{Event, Published, RunEvent, RunKey, Stop};
use dvt_sink_nats::{NatsSettings, NatsSink};

/// A prefix of subjects that nobody else uses, and the streams below it.
pub(crate) struct Bus {
    pub(crate) url: String,
    pub(crate) context: Context,
    /// Names streams and begins subjects.
    pub(crate) name: String,
}

impl Bus {
    pub(crate) async fn connect(url: &str) -> Self {
        let client = async_nats::connect(url).await.unwrap();
        let random = uuid::Uuid::new_v4().simple().to_string();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            context: jetstream::new(client),
            name: format!("dvt_it_{}", &random[..12]),
        }
    }

    /// A stream of all our subjects.
    pub(crate) fn config(&self) -> Config {
        Config {
            name: self.name.clone(),
            subjects: vec![format!("{}.>", self.name)],
            discard: DiscardPolicy::New,
            ..Config::default()
        }
    }

    /// Makes it.
    pub(crate) async fn stream(&self) {
        self.stream_with(self.config()).await;
    }

    pub(crate) async fn stream_with(&self, config: Config) {
        self.context.create_stream(config).await.unwrap();
    }

    /// A sink with a subject for each run.
    pub(crate) fn settings(&self) -> NatsSettings {
        self.settings_for("{tenant}.{run}")
    }

    pub(crate) fn settings_for(&self, subject: &str) -> NatsSettings {
        NatsSettings::from_url(&format!("{}/{}.{subject}", self.url, self.name))
            .unwrap()
            .with_ack_timeout(Duration::from_secs(2))
    }

    pub(crate) async fn sink(&self) -> NatsSink {
        NatsSink::connect(self.settings()).await.unwrap()
    }

    /// What the stream holds, in its order.
    pub(crate) async fn held(&self) -> Vec<Received> {
        let mut stream = self.context.get_stream(&self.name).await.unwrap();
        let state = stream.info().await.unwrap().state.clone();
        let mut held = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            // Sequences of messages that were deleted have none.
            if let Ok(message) = stream.get_raw_message(sequence).await {
                held.push(Received::from_json(&message.payload).unwrap());
            }
        }
        held
    }

    /// The seqs of what the stream holds.
    pub(crate) async fn seqs(&self) -> Vec<u64> {
        let held = self.held().await;
        held.iter().map(|event| event.run_seq).collect()
    }

    /// Takes our streams away.
    pub(crate) async fn clean_up(&self) {
        for name in [self.name.clone(), format!("{}_2", self.name)] {
            let _ = self.context.delete_stream(&name).await;
        }
    }
}

/// Events of a run, from this number on.
pub(crate) fn events(from: usize, to: usize) -> Vec<RunEvent> {
    let notes = fixture::notes(from, to).into_iter().zip(from as u64..);
    notes
        .map(|(event, run_seq)| stored(run_seq, event))
        .collect()
}

pub(crate) fn stored(run_seq: u64, event: Event) -> RunEvent {
    RunEvent {
        run_seq,
        persisted_at: fixture::moment("2026-01-02T03:04:05Z"),
        event,
    }
}

pub(crate) fn run() -> RunKey {
    fixture::run("run 1.x")
}

/// The answer of a sink that stored so many, and all.
pub(crate) fn all(stored: usize) -> Published {
    Published { stored, stop: None }
}

/// Why it stopped, in words that begin with the kind.
pub(crate) fn stop(published: &Published) -> String {
    match published.stop.as_ref().unwrap() {
        Stop::Unavailable { reason, .. } => format!("unavailable: {reason}"),
        Stop::Rejected { reason } => format!("rejected: {reason}"),
        Stop::Unknown { reason } => format!("unknown: {reason}"),
    }
}
