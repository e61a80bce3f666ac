use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, Store};

use crate::audit::{all_runs, log_of};
use crate::failure::{Failure, check, check_eq};

/// A sink that keeps what arrives and sees whether it comes in order.
///
/// Its failures begin with the same words as those of a [`Ledger`](super::Ledger), and `undelivered`.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The first arrivals of each run: event n is at place n - 1.
    firsts: BTreeMap<RunKey, Vec<RunEvent>>,
    repeated: u64,
    /// The first arrival that should not have been.
    wrong: Option<Failure>,
}

impl Arrivals {
    /// How many events arrived that had not before.
    #[must_use]
    pub fn firsts(&self) -> u64 {
        self.state()
            .firsts
            .values()
            .map(|run| run.len() as u64)
            .sum()
    }

    /// How often an event arrived again.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.state().repeated
    }

    /// Holds the arrivals against the logs of the store, all of which should be delivered: each event arrived, first arrivals
    /// came in log order, and all were as the log has them.
    ///
    /// # Errors
    /// The first that does not hold.
    pub async fn check(&self, store: &dyn Store) -> Result<(), Failure> {
        for record in all_runs(store).await? {
            let (run, log) = (&record.run, log_of(store, &record.run).await?);
            let state = self.state();
            if let Some(wrong) = &state.wrong {
                return Err(wrong.clone());
            }
            let arrived = state.firsts.get(run).map_or(&[][..], Vec::as_slice);
            for (arrived, event) in arrived.iter().zip(&log) {
                check_eq!(arrived, event, "changed: an event of run {run} on its way");
            }
            check_eq!(
                arrived.len(),
                log.len(),
                "undelivered: events of run {run} that arrived, of those in its log"
            );
        }
        check_eq!(
            store.stats().await?.pending_events,
            0,
            "undelivered: pending events"
        );
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, run: &RunKey, event: &RunEvent) -> Result<(), Failure> {
        let firsts = self.firsts.entry(run.clone()).or_default();
        let next = firsts.len() as u64 + 1;
        check!(
            event.run_seq <= next,
            "reordered: event {} of run {run} arrived before event {next}",
            event.run_seq
        );
        if event.run_seq == next {
            firsts.push(event.clone());
            return Ok(());
        }
        self.repeated += 1;
        let before = firsts.iter().find(|first| first.run_seq == event.run_seq);
        check_eq!(
            Some(event),
            before,
            "changed: an event of run {run} that arrived again"
        );
        Ok(())
    }
}

#[async_trait]
impl EventSink for Arrivals {
    async fn publish(&self, run: &RunKey, _claim_no: u64, events: &[RunEvent]) -> Published {
        let mut state = self.state();
        for event in events {
            if let Err(failure) = state.take(run, event) {
                state.wrong.get_or_insert(failure);
            }
        }
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}
