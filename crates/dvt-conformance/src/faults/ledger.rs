use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dvt_contracts::{
    Appended, Disposition, Event, IdempotencyKey, RunEvent, RunKey, RunStateStore,
};

use super::entry::{Acknowledged, Entry};
use super::toll::Toll;
use crate::audit::log_of;
use crate::failure::{Failure, check, check_eq};

/// What callers sent and what they were told, to be held against the store afterwards.
///
/// Every failure begins with a word for what became of an event: `lost`, `gap`, `doubled`, `changed`, `reordered`, `torn`,
/// `phantom`.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Counts what happens: the ledger's clock.
    now: u64,
    requests: u64,
    entries: BTreeMap<(RunKey, IdempotencyKey), Entry>,
    /// The first reply that contradicts another.
    contradiction: Option<Failure>,
    toll: Toll,
}

/// A request that is on its way, over all its tries.
#[derive(Debug, Clone)]
pub struct Sent {
    run: RunKey,
    keys: Vec<IdempotencyKey>,
    unknown: bool,
}

impl Ledger {
    /// Events are about to be sent to a run, in one request. To be called before the first try.
    #[must_use]
    pub fn send(&self, run: &RunKey, events: &[Event]) -> Sent {
        let mut state = self.state();
        state.now += 1;
        state.requests += 1;
        let (sent, request) = (state.now, state.requests);
        for event in events {
            let key = (run.clone(), event.idempotency_key().clone());
            state.entries.entry(key).or_insert_with(|| Entry {
                event: event.clone(),
                request,
                sent,
                acknowledged: None,
                may_be_there: false,
                appended: false,
            });
        }
        Sent {
            run: run.clone(),
            keys: events.iter().map(|e| e.idempotency_key().clone()).collect(),
            unknown: false,
        }
    }

    /// A try may have happened.
    pub fn unknown(&self, sent: &mut Sent) {
        let mut state = self.state();
        state.toll.unknown += 1;
        sent.unknown = true;
        for key in &sent.keys {
            if let Some(entry) = state.entries.get_mut(&(sent.run.clone(), key.clone())) {
                entry.may_be_there = true;
            }
        }
    }

    /// The request is answered.
    pub fn acknowledge(&self, sent: &Sent, appended: &[Appended]) {
        let mut state = self.state();
        state.now += 1;
        if let Err(failure) = state.acknowledge(sent, appended) {
            state.contradiction.get_or_insert(failure);
        }
    }

    /// What was sent and told so far.
    #[must_use]
    pub fn toll(&self) -> Toll {
        self.state().toll.clone()
    }

    /// Holds the ledger against the store, in which nobody works any more: each acknowledged event is there once, as it was
    /// sent, under the number that was told; what was refused is not there; what has an unknown outcome is there once or not at
    /// all; and there is nothing else. Sequences have no gap, requests are not torn, and what was acknowledged before something
    /// else was sent comes before it.
    ///
    /// # Errors
    /// The first that does not hold.
    pub async fn check(&self, store: &dyn RunStateStore) -> Result<(), Failure> {
        let runs: BTreeSet<RunKey> = {
            let state = self.state();
            if let Some(contradiction) = &state.contradiction {
                return Err(contradiction.clone());
            }
            state.entries.keys().map(|(run, _)| run.clone()).collect()
        };
        for run in runs {
            let log = log_of(store, &run).await?;
            self.state().check(&run, &log)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn acknowledge(&mut self, sent: &Sent, appended: &[Appended]) -> Result<(), Failure> {
        let run = &sent.run;
        check_eq!(
            appended.len(),
            sent.keys.len(),
            "torn: events in a reply for run {run}"
        );
        for (
            key,
            Appended {
                stored,
                disposition,
            },
        ) in sent.keys.iter().zip(appended)
        {
            let Some(entry) = self.entries.get_mut(&(run.clone(), key.clone())) else {
                continue;
            };
            check_eq!(
                stored.event,
                entry.event,
                "changed: told of {key} of run {run}"
            );
            if *disposition == Disposition::Appended {
                check!(
                    !entry.appended,
                    "doubled: {key} of run {run} was told to be new twice"
                );
                entry.appended = true;
            }
            let told = stored.run_seq;
            match entry.acknowledged {
                Some(before) => check_eq!(
                    told,
                    before.run_seq,
                    "changed: number told of {key} of run {run}"
                ),
                None => {
                    self.toll.acknowledged += 1;
                    entry.acknowledged = Some(Acknowledged {
                        at: self.now,
                        run_seq: told,
                    });
                }
            }
        }
        if sent.unknown {
            match appended.iter().all(Appended::is_duplicate) {
                true => self.toll.was_stored += 1,
                false => self.toll.was_not += 1,
            }
        }
        Ok(())
    }

    fn check(&self, run: &RunKey, log: &[RunEvent]) -> Result<(), Failure> {
        let mut found = BTreeSet::new();
        let (mut last_sent, mut last_request) = (0, 0);
        let mut finished_requests = BTreeSet::new();
        for (expected_seq, event) in (1..).zip(log) {
            let (key, run_seq) = (event.event.idempotency_key(), event.run_seq);
            check_eq!(run_seq, expected_seq, "gap: numbers of run {run}");
            check!(
                found.insert(key),
                "doubled: {key} is in the log of run {run} twice"
            );
            let Some(entry) = self.entries.get(&(run.clone(), key.clone())) else {
                return Err(Failure::new(format!(
                    "phantom: nobody sent {key}, yet it is event {run_seq} of run {run}"
                )));
            };
            check_eq!(event.event, entry.event, "changed: {key} of run {run}");
            check!(
                entry.acknowledged.is_some() || entry.may_be_there,
                "phantom: {key} was refused, yet it is event {run_seq} of run {run}"
            );
            if let Some(acknowledged) = entry.acknowledged {
                check_eq!(
                    acknowledged.run_seq,
                    run_seq,
                    "changed: number of {key} of run {run}, told and found"
                );
                check!(
                    acknowledged.at > last_sent,
                    "reordered: {key} was acknowledged before something was sent that comes before it in run {run}"
                );
            }
            last_sent = last_sent.max(entry.sent);
            if entry.request != last_request {
                check!(
                    finished_requests.insert(entry.request),
                    "torn: others stand between the events that {key} of run {run} was sent with"
                );
                last_request = entry.request;
            }
        }
        for ((_, key), entry) in self.entries.iter().filter(|((of, _), _)| of == run) {
            check!(
                entry.acknowledged.is_none() || found.contains(key),
                "lost: {key} was acknowledged and is not in the log of run {run}"
            );
        }
        self.check_whole_requests(run, &found)
    }

    /// Of each request everything is there, or nothing.
    fn check_whole_requests(
        &self,
        run: &RunKey,
        found: &BTreeSet<&IdempotencyKey>,
    ) -> Result<(), Failure> {
        let mut requests: BTreeMap<u64, bool> = BTreeMap::new();
        for ((_, key), entry) in self.entries.iter().filter(|((of, _), _)| of == run) {
            let is_there = found.contains(key);
            let others = *requests.entry(entry.request).or_insert(is_there);
            check_eq!(
                is_there,
                others,
                "torn: whether {key} is in the log of run {run}, and what it was sent with"
            );
        }
        Ok(())
    }
}
