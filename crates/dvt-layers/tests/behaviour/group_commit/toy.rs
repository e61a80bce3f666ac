//! Another group commit, written for one thing: to have a bug planted in it.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dvt_contracts::*;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::bug::Replies;
use crate::pass_on::passes_on;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    CallerMakesTheCalls,
    SendsForTheGone,
    LastComesFirst,
    AllFailTogether,
    TriesAnUnknownAgain,
    HasRoomForAll,
    KeepsTheRoomOfTheGone,
    TellsTheNeighboursReply,
    TellsARefusalToAll,
    SendsAllAtOnce,
    AsksForEver,
    DiesWithTheStore,
    ChecksNothing,
    MixesUpRuns,
    TriesThemOneByOne,
    OneTakesAll,
    Overtakes,
}

/// Over a store, with one bug or none.
#[derive(Debug)]
pub(super) struct Toy<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    store: S,
    bug: Bug,
    flights: usize,
    room: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    busy: HashSet<RunKey>,
    workers: usize,
}

#[derive(Debug)]
struct Waiting {
    requests: Vec<AppendRequest>,
    reply: oneshot::Sender<Replies>,
    room: Option<OwnedSemaphorePermit>,
}

impl<S: Store + 'static> Toy<S> {
    pub(super) fn new(store: S, flights: usize, bug: Bug) -> Self {
        let shared = Shared {
            store,
            bug,
            flights,
            room: Arc::new(Semaphore::new(65_536)),
            state: Mutex::default(),
        };
        let shared = Arc::new(shared);
        Self { shared }
    }

    fn store(&self) -> &S {
        &self.shared.store
    }

    async fn bootstrap(&self, request: &BootstrapRequest) -> Result<BootstrapOutcome, StoreError> {
        self.store().bootstrap_run(request).await
    }

    async fn append(&self, requests: &[AppendRequest]) -> Replies {
        let shared = &self.shared;
        if shared.bug != Bug::ChecksNothing {
            AppendRequest::check_call(requests)?;
        }
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let room = match shared.bug {
            Bug::HasRoomForAll => None,
            _ => {
                let room = Arc::clone(&shared.room).acquire_many_owned(size(requests).0);
                Some(room.await.unwrap())
            }
        };
        let (reply, answer) = oneshot::channel();
        let starts = {
            let mut state = shared.state.lock().unwrap();
            state.waiting.push_back(Waiting {
                requests: requests.to_vec(),
                reply,
                room,
            });
            let starts = state.workers < shared.flights;
            state.workers += usize::from(starts);
            starts
        };
        if starts {
            let work = work(Arc::clone(shared));
            match shared.bug {
                Bug::CallerMakesTheCalls => work.await,
                _ => drop(tokio::spawn(work)),
            }
        }
        let ended = || StoreError::unknown("append_batch", "the task ended early");
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

passes_on!(Toy);

/// Room, and events.
fn size(requests: &[AppendRequest]) -> (u32, usize) {
    let events = requests.iter().flat_map(|request| &request.events);
    let units: usize = events
        .clone()
        .map(|event| 1 + event.payload().size() / 1_024)
        .sum();
    (u32::try_from(units).unwrap(), events.count())
}

async fn work<S: Store>(shared: Arc<Shared<S>>) {
    loop {
        yield_now().await;
        let calls = shared.take();
        if calls.is_empty() {
            shared.state.lock().unwrap().workers -= 1;
            return;
        }
        let requests = calls.iter().flat_map(|call| &call.requests);
        let flight = Flight {
            shared: &shared,
            runs: requests.map(|request| request.run.clone()).collect(),
        };
        shared.send(calls, Instant::now()).await;
        flight.end();
    }
}

/// The runs of calls that are under way.
struct Flight<'a, S> {
    shared: &'a Shared<S>,
    runs: HashSet<RunKey>,
}

impl<S> Flight<'_, S> {
    fn end(mut self) {
        let mut state = self.shared.state.lock().unwrap();
        for run in self.runs.drain() {
            state.busy.remove(&run);
        }
    }
}

/// The store panicked, or the task was dropped.
impl<S> Drop for Flight<'_, S> {
    fn drop(&mut self) {
        if self.runs.is_empty() || self.shared.bug == Bug::DiesWithTheStore {
            return;
        }
        let mut state = self.shared.state.lock().unwrap();
        for run in self.runs.drain() {
            state.busy.remove(&run);
        }
        state.workers -= 1;
        if state.workers == 0 {
            state.waiting.clear();
        }
    }
}

impl<S: Store> Shared<S> {
    /// The next calls, no two flights with one run.
    fn take(&self) -> Vec<Waiting> {
        let mut state = self.state.lock().unwrap();
        let (mut taken, mut passed_over, mut events) = (Vec::new(), VecDeque::new(), 0);
        let (mut runs, mut held) = (HashSet::new(), HashSet::new());
        let requests = state.waiting.iter().flat_map(|call| &call.requests);
        let all: HashSet<_> = requests.map(|request| &request.run).collect();
        let share = all.len().div_ceil(self.flights);
        loop {
            let next = match self.bug {
                Bug::LastComesFirst => state.waiting.pop_back(),
                _ => state.waiting.pop_front(),
            };
            let Some(mut call) = next else { break };
            if call.reply.is_closed() && self.bug != Bug::SendsForTheGone {
                if self.bug == Bug::KeepsTheRoomOfTheGone
                    && let Some(room) = call.room.take()
                {
                    room.forget();
                }
                continue;
            }
            let mut its_runs = call.requests.iter().map(|request| &request.run);
            let waits = its_runs
                .clone()
                .any(|run| state.busy.contains(run) || held.contains(run));
            let is_new = its_runs.clone().any(|run| !runs.contains(run));
            let is_others = is_new && runs.len() >= share && self.bug != Bug::OneTakesAll;
            let fits = taken.is_empty() || events + size(&call.requests).1 <= MAX_CALL_EVENTS;
            if (waits && self.bug != Bug::MixesUpRuns)
                || is_others
                || (!fits && self.bug != Bug::SendsAllAtOnce)
                || too_large(&taken, &call)
            {
                if self.bug != Bug::Overtakes {
                    held.extend(its_runs.cloned());
                }
                passed_over.push_back(call);
                continue;
            }
            events += size(&call.requests).1;
            runs.extend(its_runs.by_ref().cloned());
            taken.push(call);
        }
        state.waiting = passed_over;
        state.busy.extend(runs);
        taken
    }

    /// One call of the store, and after a failure one for each half.
    fn send(
        &self,
        mut calls: Vec<Waiting>,
        begun: Instant,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let together = calls.iter().flat_map(|call| call.requests.iter().cloned());
            let together: Vec<_> = together.collect();
            let error = match self.store.append_batch(&together).await {
                Ok(replies) => return self.tell(calls, replies),
                Err(error) => error,
            };
            let may_be_one = match (error.class(), self.bug) {
                (_, Bug::AllFailTogether) => false,
                (ErrorClass::Unknown, bug) => bug == Bug::TriesAnUnknownAgain,
                (_, Bug::AsksForEver) => true,
                _ => begun.elapsed() < Duration::from_secs(1),
            };
            if calls.len() > 1 && may_be_one {
                let rest = calls.split_off(match self.bug {
                    Bug::TriesThemOneByOne => 1,
                    _ => calls.len() / 2,
                });
                self.send(calls, begun).await;
                self.send(rest, begun).await;
                return;
            }
            for call in calls {
                let _ = call.reply.send(Err(error.clone()));
            }
        })
    }

    fn tell(&self, calls: Vec<Waiting>, mut replies: Vec<Result<AppendOutcome, AppendError>>) {
        let refusal = replies.iter().find_map(|reply| reply.clone().err());
        if let (Some(refusal), Bug::TellsARefusalToAll) = (refusal, self.bug) {
            replies.fill(Err(refusal));
        }
        if self.bug == Bug::TellsTheNeighboursReply {
            replies.rotate_left(1);
        }
        let mut replies = replies.into_iter();
        for call in calls {
            let its_own = replies.by_ref().take(call.requests.len()).collect();
            let _ = call.reply.send(Ok(its_own));
        }
    }
}

/// Whether the payloads would be more than a call takes.
fn too_large(taken: &[Waiting], call: &Waiting) -> bool {
    let requests = taken.iter().chain([call]).flat_map(|call| &call.requests);
    let events = requests.flat_map(|request| &request.events);
    let bytes: usize = events.map(|event| event.payload().size()).sum();
    bytes > MAX_CALL_BYTES
}
