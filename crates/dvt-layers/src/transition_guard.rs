use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use dvt_contracts::*;
use tokio::sync::OwnedMutexGuard;

use crate::pass_on::passes_on;

mod proposal;
mod states;

use self::proposal::{Proposal, judged};
use self::states::{Known, States};

/// Refuses events that the transition table does not allow.
///
/// See the crate's documentation for what it promises.
#[derive(Debug)]
pub struct TransitionGuard<S> {
    store: S,
    states: States,
}

const STATES: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// How often a request is judged anew because others changed its run meanwhile.
const ATTEMPTS: u32 = 32;

/// Others were faster each time.
#[derive(Debug, thiserror::Error)]
#[error("others changed run {run} in each of {ATTEMPTS} attempts")]
struct Contended {
    run: RunKey,
}

/// The runs of a call, which nobody else in this process judges meanwhile.
type Runs<'a> = BTreeMap<&'a RunKey, OwnedMutexGuard<Known>>;

impl<S: Store + 'static> TransitionGuard<S> {
    /// Over this store; keeps the states of the 1,024 runs used last.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self::with_capacity(store, STATES)
    }

    /// The same with the states of so many runs. A state grows with the steps of its run.
    #[must_use]
    pub fn with_capacity(store: S, runs: NonZeroUsize) -> Self {
        Self {
            store,
            states: States::new(runs),
        }
    }

    fn store(&self) -> &S {
        &self.store
    }

    /// First events are judged as what they are, the beginning of a log.
    async fn bootstrap(&self, request: &BootstrapRequest) -> Result<BootstrapOutcome, StoreError> {
        request.check_call()?;
        if let Err(illegal) = judged(&RunState::new(), &request.events) {
            let (run, illegal) = (request.run.clone(), Box::new(illegal));
            return Err(AppendError::IllegalTransition { run, illegal }.into());
        }
        self.store.bootstrap_run(request).await
    }

    async fn append(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        AppendRequest::check_call(requests)?;
        let mut effect = false;
        let appended = self.in_turns(requests, &mut effect).await;
        appended.map_err(|error| match effect {
            // A part of the call was done before the rest failed.
            true => StoreError::unknown("append_batch", error),
            false => error,
        })
    }

    /// One after another for each run: whether a request is legal depends on what became of those before it.
    async fn in_turns(
        &self,
        requests: &[AppendRequest],
        effect: &mut bool,
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        let mut runs: Runs<'_> = BTreeMap::new();
        let mut keys: Vec<_> = requests.iter().map(|request| &request.run).collect();
        // All callers lock in the same order.
        keys.sort();
        keys.dedup();
        for run in keys {
            runs.insert(run, self.states.lock(run).await);
        }
        let mut proposals: Vec<_> = requests.iter().map(Proposal::new).collect();
        while proposals.iter().any(|proposal| !proposal.is_settled()) {
            let mut turn: Vec<&mut Proposal<'_>> = Vec::new();
            for proposal in &mut proposals {
                let is_taken = turn.iter().any(|other| other.run() == proposal.run());
                if !proposal.is_settled() && !is_taken {
                    turn.push(proposal);
                }
            }
            self.turn(&mut turn, &mut runs, effect).await?;
        }
        Ok(proposals
            .into_iter()
            .filter_map(Proposal::into_reply)
            .collect())
    }

    /// One call of the store for at most one proposal of each run.
    async fn turn(
        &self,
        turn: &mut [&mut Proposal<'_>],
        runs: &mut Runs<'_>,
        effect: &mut bool,
    ) -> Result<(), StoreError> {
        let (mut sent, mut counts) = (Vec::new(), Vec::new());
        for proposal in turn.iter_mut() {
            if let Some(known) = runs.get_mut(proposal.run()) {
                if proposal.wants_news() {
                    known.refresh(&self.store, proposal.run()).await?;
                }
                let requests = proposal.next(known);
                counts.push(requests.len());
                sent.extend(requests);
            }
        }
        let mut replies = match sent.is_empty() {
            true => Vec::new(),
            false => self.store.append_batch(&sent).await?,
        }
        .into_iter();
        for (proposal, count) in turn.iter_mut().zip(counts) {
            let replies: Vec<_> = replies.by_ref().take(count).collect();
            let written = replies.iter().flatten().flat_map(|outcome| &outcome.events);
            *effect |= written.clone().any(|appended| !appended.is_duplicate());
            if let Some(known) = runs.get_mut(proposal.run()) {
                known.note(&replies);
            }
            if count > 0 && !proposal.hear(replies) {
                let run = proposal.run().clone();
                return Err(StoreError::transient("append_batch", Contended { run }));
            }
        }
        Ok(())
    }
}

passes_on!(TransitionGuard);
