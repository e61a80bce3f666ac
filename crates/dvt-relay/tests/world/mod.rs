//! A store, a sink that does as it is told, and one time for both: tokio's, which jumps when everybody waits.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_conformance::fixture;
use dvt_contracts::{
    BootstrapRequest, Destination, EventId, EventSink, OutboxStats, OutboxStorage as _, Published,
    RunEvent, RunKey, RunStateStore as _, SafeText, Stop, Timestamp,
};
use dvt_relay::{Relay, RelayError, RelayMode, RelayReport, RelaySettings};

const TICK: Duration = Duration::from_millis(20);

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) sink: Arc<Sink>,
    ticker: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

/// What the sink does with one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Store,
    Reject,
    Refuse503,
    Hang,
    Panic,
    /// Stores it and says that it does not know.
    Forget,
    /// Takes its time and stores it.
    Slow(Duration),
    /// Takes its time and refuses it for now.
    SlowRefuse(Duration),
}

type Script = dyn Fn(&RunKey, &RunEvent) -> Act + Send + Sync;

#[derive(Default)]
pub(crate) struct Sink {
    script: Mutex<Option<Box<Script>>>,
    arrived: Mutex<Vec<(RunKey, u64, EventId)>>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

impl Sink {
    /// What it does from now on.
    pub(crate) fn does(&self, script: impl Fn(&RunKey, &RunEvent) -> Act + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Some(Box::new(script));
    }

    fn act(&self, run: &RunKey, event: &RunEvent) -> Act {
        let script = self.script.lock().unwrap();
        script
            .as_ref()
            .map_or(Act::Store, |script| script(run, event))
    }

    /// How often each event arrived.
    pub(crate) fn arrivals(&self, run: &RunKey) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        for (of, seq, _) in self.arrived.lock().unwrap().iter() {
            if of == run {
                *counts.entry(*seq).or_default() += 1;
            }
        }
        counts
    }

    /// The first arrivals of each run, in their order.
    pub(crate) fn first_arrivals(&self) -> HashMap<RunKey, Vec<u64>> {
        let mut firsts: HashMap<RunKey, Vec<u64>> = HashMap::new();
        for (run, seq, _) in self.arrived.lock().unwrap().iter() {
            let seqs = firsts.entry(run.clone()).or_default();
            if !seqs.contains(seq) {
                seqs.push(*seq);
            }
        }
        firsts
    }

    pub(crate) fn total(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }
}

#[async_trait]
impl EventSink for Sink {
    async fn publish(&self, run: &RunKey, _claim_no: u64, events: &[RunEvent]) -> Published {
        for (stored, event) in events.iter().enumerate() {
            let reason = || SafeText::new("as told");
            let stop = match self.act(run, event) {
                Act::Store => None,
                Act::Slow(time) => {
                    tokio::time::sleep(time).await;
                    None
                }
                Act::Reject => Some(Stop::Rejected { reason: reason() }),
                Act::Refuse503 => Some(Stop::Unavailable {
                    reason: reason(),
                    retry_after: None,
                }),
                Act::SlowRefuse(time) => {
                    tokio::time::sleep(time).await;
                    Some(Stop::Unavailable {
                        reason: reason(),
                        retry_after: None,
                    })
                }
                Act::Hang => std::future::pending().await,
                Act::Panic => panic!("as told"),
                Act::Forget => Some(Stop::Unknown { reason: reason() }),
            };
            if !matches!(stop, Some(Stop::Rejected { .. } | Stop::Unavailable { .. })) {
                let id = event.event_id(run);
                self.arrived
                    .lock()
                    .unwrap()
                    .push((run.clone(), event.run_seq, id));
            }
            if stop.is_some() {
                return Published { stored, stop };
            }
        }
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(Timestamp::now());
        let store = MemoryStore::with_clock(clock.clone());
        let ticker = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                clock.advance(TICK);
            }
        });
        Self {
            store,
            sink: Arc::default(),
            ticker,
        }
    }

    /// So many runs with so many events each.
    pub(crate) async fn runs(&self, runs: usize, events: usize) -> Vec<RunKey> {
        let mut made = Vec::new();
        for number in 0..runs {
            made.push(self.add(&format!("run-{number:04}"), events).await);
        }
        made
    }

    /// A run with so many events.
    pub(crate) async fn add(&self, name: &str, events: usize) -> RunKey {
        let run = fixture::run(name);
        let request = BootstrapRequest {
            run: run.clone(),
            metadata: fixture::metadata(),
            events: fixture::notes(1, events),
        };
        self.store.bootstrap_run(&request).await.unwrap();
        run
    }

    pub(crate) fn settings(&self) -> RelaySettings {
        RelaySettings {
            retry: fixture::policy(3),
            ..RelaySettings::new(Destination::new("test:").unwrap())
        }
    }

    pub(crate) fn relay(&self, settings: RelaySettings) -> Relay {
        Relay::new(Arc::new(self.store.clone()), self.sink.clone(), settings).unwrap()
    }

    /// Lets a relay work until nothing is due.
    pub(crate) async fn empty(&self) -> Result<RelayReport, RelayError> {
        let relay = self.relay(self.settings());
        relay
            .run(RelayMode::UntilEmpty, std::future::pending())
            .await
    }

    /// Lets a relay work for so long.
    pub(crate) async fn work(&self, settings: RelaySettings, time: Duration) -> RelayReport {
        let relay = self.relay(settings);
        relay
            .run(RelayMode::Forever, tokio::time::sleep(time))
            .await
            .unwrap()
    }

    pub(crate) async fn stats(&self) -> OutboxStats {
        self.store.stats().await.unwrap()
    }
}
