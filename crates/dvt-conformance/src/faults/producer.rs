use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::{
    AppendError, AppendRequest, BootstrapRequest, ErrorClass, Event, EventType, Expected, RunKey,
    Store, StoreError,
};
use tokio::time::sleep;

use super::dice::Dice;
use super::ledger::{Ledger, Sent};
use crate::failure::{Failure, check};
use crate::fixture::{event, metadata, note, run, step};
use crate::race::after_polls;

/// How much is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Into so many runs,
    pub runs: usize,
    /// by so many producers at once,
    pub producers: usize,
    /// in so many calls by each.
    pub calls: usize,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            runs: 5,
            producers: 4,
            calls: 30,
        }
    }
}

/// One who appends, and asks again with the same keys while the outcome is `Unknown` or `Transient`, unless it goes away.
///
/// Its events are legal in any order that the store may give them.
#[derive(Debug)]
pub struct Producer {
    store: Arc<dyn Store>,
    ledger: Arc<Ledger>,
    dice: Dice,
    name: usize,
    runs: Vec<RunKey>,
    /// The requests that were answered last.
    answered: Vec<(AppendRequest, Sent)>,
}

/// Somebody who is refused so often will never be served.
const TRIES: u32 = 1_000;

/// Whether the same call may be made again.
fn is_passing(error: &StoreError) -> bool {
    matches!(error.class(), ErrorClass::Transient | ErrorClass::Unknown)
}

impl Workload {
    /// The producers, each of which is to do its [`work`](Producer::work) in a task of its own.
    pub fn producers(
        self,
        seed: u64,
        store: &Arc<dyn Store>,
        ledger: &Arc<Ledger>,
    ) -> impl Iterator<Item = Producer> {
        let runs: Vec<RunKey> = (0..self.runs)
            .map(|number| run(&format!("run {number}")))
            .collect();
        let (store, ledger) = (Arc::clone(store), Arc::clone(ledger));
        (0..self.producers).map(move |name| Producer {
            store: Arc::clone(&store),
            ledger: Arc::clone(&ledger),
            dice: Dice::new(seed).apart(1_000 + name as u64),
            name,
            runs: runs.clone(),
            answered: Vec::new(),
        })
    }
}

impl Producer {
    /// Makes the runs, as all others do, and appends to them.
    ///
    /// # Errors
    /// An answer that no store may give, or none after many tries.
    pub async fn work(mut self, calls: usize) -> Result<(), Failure> {
        for run in self.runs.clone() {
            self.make(&run).await?;
        }
        for number in 0..calls {
            self.call(number).await?;
        }
        Ok(())
    }

    async fn make(&mut self, run: &RunKey) -> Result<(), Failure> {
        let request = BootstrapRequest {
            run: run.clone(),
            metadata: metadata(),
            events: vec![
                event(EventType::RunQueued, "queued"),
                event(EventType::RunStarted, "started"),
            ],
        };
        let mut sent = self.ledger.send(run, &request.events);
        for _ in 0..TRIES {
            match self.store.bootstrap_run(&request).await {
                Ok(outcome) => {
                    self.ledger.acknowledge(&sent, &outcome.events);
                    return Ok(());
                }
                Err(error) if !is_passing(&error) => return Err(error.into()),
                Err(error) => self.note(&error, [&mut sent]),
            }
            self.wait().await;
        }
        Err(never("bootstrap"))
    }

    fn note<'a>(&self, error: &StoreError, sent: impl IntoIterator<Item = &'a mut Sent>) {
        if error.class() == ErrorClass::Unknown {
            for sent in sent {
                self.ledger.unknown(sent);
            }
        }
    }

    async fn wait(&mut self) {
        let micros = self.dice.below(2_000);
        sleep(Duration::from_micros(micros)).await;
    }

    async fn call(&mut self, number: usize) -> Result<(), Failure> {
        let mut open = Vec::new();
        for part in 0..=self.dice.index(3) {
            open.push(self.request(&format!("{}/{number}/{part}", self.name)));
        }
        if self.dice.one_in(4) && !self.answered.is_empty() {
            // Somebody repeats what was answered long ago.
            let at = self.dice.index(self.answered.len());
            open.push(self.answered[at].clone());
        }
        for _ in 0..TRIES {
            let requests: Vec<AppendRequest> =
                open.iter().map(|(request, _)| request.clone()).collect();
            match self.attempt(&requests).await {
                Some(Ok(replies)) => {
                    check!(
                        replies.len() == open.len(),
                        "torn: {} requests, {} replies",
                        open.len(),
                        replies.len()
                    );
                    let mut again = Vec::new();
                    for ((request, sent), reply) in open.into_iter().zip(replies) {
                        match reply {
                            Ok(outcome) => {
                                self.ledger.acknowledge(&sent, &outcome.events);
                                self.look(&request.run, outcome.head).await?;
                                self.remember(request, sent);
                            }
                            Err(AppendError::VersionConflict { actual, .. }) => {
                                again.push((request.expecting(Expected::At(actual)), sent));
                            }
                            Err(error) => return Err(error.into()),
                        }
                    }
                    open = again;
                    if open.is_empty() {
                        return Ok(());
                    }
                }
                Some(Err(error)) if !is_passing(&error) => return Err(error.into()),
                Some(Err(error)) => self.note(&error, open.iter_mut().map(|(_, sent)| sent)),
                // It went away in the middle, and comes back.
                None => open
                    .iter_mut()
                    .for_each(|(_, sent)| self.ledger.unknown(sent)),
            }
            if self.dice.one_in(15) {
                // It goes away for good.
                return Ok(());
            }
            self.wait().await;
        }
        Err(never("append"))
    }

    /// One try. Nothing: its future was dropped.
    async fn attempt(
        &mut self,
        requests: &[AppendRequest],
    ) -> Option<Result<Vec<Result<dvt_contracts::AppendOutcome, AppendError>>, StoreError>> {
        let call = self.store.append_batch(requests);
        match self.dice.below(20) {
            0 => after_polls(1 + self.dice.index(3), call).await,
            1 => {
                let micros = Duration::from_micros(self.dice.below(20_000));
                tokio::time::timeout(micros, call).await.ok()
            }
            _ => Some(call.await),
        }
    }

    /// What was acknowledged can be read.
    async fn look(&mut self, run: &RunKey, head: u64) -> Result<(), Failure> {
        if self.dice.one_in(4)
            && let Ok(record) = self.store.get_run(run).await
        {
            check!(
                record.head >= head,
                "lost: run {run} was at {head} and is at {}",
                record.head
            );
        }
        Ok(())
    }

    fn remember(&mut self, request: AppendRequest, sent: Sent) {
        if self.answered.len() == 16 {
            self.answered.remove(0);
        }
        self.answered.push((request, sent));
    }

    /// A request of one to three events for one of the runs.
    fn request(&mut self, name: &str) -> (AppendRequest, Sent) {
        let run = self.runs[self.dice.index(self.runs.len())].clone();
        let keyed = |what: &str| format!("{name}/{what}");
        let begins = step(EventType::StepStarted, name, &keyed("begins"));
        let ends = step(EventType::StepCompleted, name, &keyed("ends"));
        let events: Vec<Event> = match self.dice.below(4) {
            0 => vec![note(name)],
            1 => vec![begins],
            2 => vec![begins, ends],
            _ => vec![begins, note(name), ends],
        };
        let sent = self.ledger.send(&run, &events);
        let request = AppendRequest::new(run, events);
        let request = match self.dice.one_in(4) {
            // Likely wrong: then it reads where the head is, and decides anew.
            true => request.expecting(Expected::At(self.dice.below(20))),
            false => request,
        };
        (request, sent)
    }
}

fn never(what: &str) -> Failure {
    Failure::new(format!("void: no {what} in {TRIES} tries"))
}
