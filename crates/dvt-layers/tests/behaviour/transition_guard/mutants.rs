//! Guards with one bug each: the real one, with something between it and its store, or between it and its callers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dvt_conformance::async_trait;
use dvt_contracts::*;
use dvt_layers::TransitionGuard;
use tokio::sync::Mutex;
use tokio::task::yield_now;

use super::real;
use crate::bug::{Bug, Replies, With};
use crate::check::Mutant;
use crate::slow::Slow;

macro_rules! above {
    ($bug:expr, $told:literal, $noticed_by:expr) => {
        Mutant {
            bug: $told,
            make: |store, runs| Arc::new(With::new($bug, real(store, runs))),
            noticed_by: &$noticed_by,
        }
    };
}

macro_rules! below {
    ($bug:expr, $told:literal, $noticed_by:expr) => {
        Mutant {
            bug: $told,
            make: |store, runs| {
                let runs = NonZeroUsize::new(runs).unwrap();
                Arc::new(TransitionGuard::with_capacity(With::new($bug, store), runs))
            },
            noticed_by: &$noticed_by,
        }
    };
}

pub(super) fn all() -> Vec<Mutant> {
    vec![
        Mutant {
            bug: "judges nothing",
            make: |store, _| Arc::new(store),
            noticed_by: &[
                "illegal_events_are_refused_and_legal_ones_are_not",
                "a_request_is_refused_as_a_whole_and_its_neighbours_are_not",
                "what_is_known_already_moves_nothing",
                "illegal_first_events_make_no_run",
                "another_writer_is_noticed_before_anything_is_written",
                "a_writer_that_comes_in_between_is_noticed",
                "a_run_that_others_change_all_the_time_is_given_up_for_now",
                "callers_of_one_run_wait_for_each_other_and_others_do_not",
                "no_more_runs_are_remembered_than_may_be",
                "no_append_saves_a_checkpoint",
                "a_call_of_which_a_part_was_done_has_an_unknown_outcome",
            ],
        },
        below!(
            Unconditional,
            "appends what it judged, wherever the log ends by then",
            [
                "another_writer_is_noticed_before_anything_is_written",
                "a_writer_that_comes_in_between_is_noticed",
                "a_run_that_others_change_all_the_time_is_given_up_for_now"
            ]
        ),
        below!(
            ConflictIgnored,
            "appends all the same when the log has gone on",
            [
                "another_writer_is_noticed_before_anything_is_written",
                "a_writer_that_comes_in_between_is_noticed",
                "a_run_that_others_change_all_the_time_is_given_up_for_now"
            ]
        ),
        below!(
            ConflictIsFailure,
            "fails when the log has gone on, and does not judge again",
            [
                "another_writer_is_noticed_before_anything_is_written",
                "a_writer_that_comes_in_between_is_noticed",
                "a_run_that_others_change_all_the_time_is_given_up_for_now"
            ]
        ),
        Mutant {
            bug: "trusts what it has read once",
            make: |store, runs| real(store.with_old_pages(), runs),
            noticed_by: &[
                "a_run_that_others_change_all_the_time_is_given_up_for_now",
                "no_more_runs_are_remembered_than_may_be",
            ],
        },
        above!(
            JudgesFirst,
            "judges an event before it looks whether it is known",
            [
                "a_known_event_is_told_legal_now_or_not",
                "a_known_run_is_not_read_again"
            ]
        ),
        above!(
            ExpectsNothing,
            "forgets what the caller expects",
            ["what_the_caller_expects_is_held"]
        ),
        above!(
            OneByOne,
            "takes the legal events of a request and refuses the others",
            ["a_request_is_refused_as_a_whole_and_its_neighbours_are_not"]
        ),
        below!(
            InSteps,
            "appends the events of a request one after another",
            [
                "another_writer_is_noticed_before_anything_is_written",
                "a_writer_that_comes_in_between_is_noticed",
                "a_run_that_others_change_all_the_time_is_given_up_for_now",
                "a_call_may_be_dropped_at_every_await"
            ]
        ),
        above!(
            GivesUp::default(),
            "fails everybody when the store has failed somebody",
            [
                "a_run_that_others_change_all_the_time_is_given_up_for_now",
                "a_poisoned_request_fails_alone",
                "a_call_of_which_a_part_was_done_has_an_unknown_outcome"
            ]
        ),
        above!(
            AllAreRefused,
            "refuses all requests of a call for one",
            ["a_request_is_refused_as_a_whole_and_its_neighbours_are_not"]
        ),
        above!(
            SaysNothingHappened,
            "says that nothing happened when a part did",
            ["a_call_of_which_a_part_was_done_has_an_unknown_outcome"]
        ),
        above!(
            Saves,
            "saves a checkpoint with an append",
            [
                "a_known_run_is_not_read_again",
                "no_append_saves_a_checkpoint"
            ]
        ),
        above!(
            OneLock::default(),
            "lets every caller wait for every other",
            ["callers_of_one_run_wait_for_each_other_and_others_do_not"]
        ),
        Mutant {
            bug: "makes runs of whatever first events",
            make: |store, runs| Arc::new(With::new(MakesRuns(store.clone()), real(store, runs))),
            noticed_by: &["illegal_first_events_make_no_run"],
        },
        Mutant {
            bug: "remembers every run that it has seen",
            make: |store, _| real(store, 1_000_000),
            noticed_by: &["no_more_runs_are_remembered_than_may_be"],
        },
        Mutant {
            bug: "remembers nothing",
            make: |store, _| Arc::new(With::new(RemembersNothing(store.clone()), store)),
            noticed_by: &[
                "illegal_first_events_make_no_run",
                "callers_of_one_run_wait_for_each_other_and_others_do_not",
                "a_known_run_is_not_read_again",
            ],
        },
    ]
}

/// Whether it was sent to append, and not only to find out what is known.
fn is_meant(request: &AppendRequest) -> bool {
    request.expected != Expected::At(u64::MAX)
}

#[derive(Debug)]
struct Unconditional;

#[async_trait]
impl Bug for Unconditional {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut requests = requests.to_vec();
        for request in requests.iter_mut().filter(|request| is_meant(request)) {
            request.expected = Expected::Any;
        }
        below.append_batch(&requests).await
    }
}

#[derive(Debug)]
struct ConflictIgnored;

#[async_trait]
impl Bug for ConflictIgnored {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = below.append_batch(requests).await?;
        for (request, reply) in requests.iter().zip(&mut replies) {
            if is_meant(request) && matches!(reply, Err(AppendError::VersionConflict { .. })) {
                let anywhere = request.clone().expecting(Expected::Any);
                *reply = below.append_batch(&[anywhere]).await?.remove(0);
            }
        }
        Ok(replies)
    }
}

#[derive(Debug)]
struct ConflictIsFailure;

#[async_trait]
impl Bug for ConflictIsFailure {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let replies = below.append_batch(requests).await?;
        for (request, reply) in requests.iter().zip(&replies) {
            if is_meant(request) && matches!(reply, Err(AppendError::VersionConflict { .. })) {
                return Err(StoreError::transient("append_batch", "the log has gone on"));
            }
        }
        Ok(replies)
    }
}

#[derive(Debug)]
struct JudgesFirst;

#[async_trait]
impl Bug for JudgesFirst {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        if let [request] = requests
            && let [event] = &request.events[..]
            && let Ok(state) = below.read_state(&request.run).await
            && let Err(illegal) = state.judge(event)
        {
            let (run, illegal) = (request.run.clone(), Box::new(illegal));
            return Ok(vec![Err(AppendError::IllegalTransition { run, illegal })]);
        }
        below.append_batch(requests).await
    }
}

#[derive(Debug)]
struct ExpectsNothing;

#[async_trait]
impl Bug for ExpectsNothing {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let requests = requests.iter().cloned();
        let requests: Vec<_> = requests
            .map(|request| request.expecting(Expected::Any))
            .collect();
        below.append_batch(&requests).await
    }
}

#[derive(Debug)]
struct OneByOne;

#[async_trait]
impl Bug for OneByOne {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = below.append_batch(requests).await?;
        for (request, reply) in requests.iter().zip(&mut replies) {
            if matches!(reply, Err(AppendError::IllegalTransition { .. })) {
                for event in &request.events {
                    let alone = AppendRequest::new(request.run.clone(), vec![event.clone()]);
                    *reply = below.append_batch(&[alone]).await?.remove(0);
                }
            }
        }
        Ok(replies)
    }
}

#[derive(Debug)]
struct InSteps;

#[async_trait]
impl Bug for InSteps {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = Vec::new();
        for request in requests {
            let mut events = Vec::new();
            let mut head = 0;
            for event in request.events.iter().filter(|_| is_meant(request)) {
                let step = AppendRequest::new(request.run.clone(), vec![event.clone()]);
                yield_now().await;
                let outcome = below.append_and_enqueue(step).await?;
                events.extend(outcome.events);
                head = outcome.head;
            }
            replies.push(match is_meant(request) {
                true => Ok(AppendOutcome { head, events }),
                false => below
                    .append_batch(std::slice::from_ref(request))
                    .await?
                    .remove(0),
            });
        }
        Ok(replies)
    }
}

#[derive(Debug, Default)]
struct GivesUp(AtomicBool);

#[async_trait]
impl Bug for GivesUp {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        if self.0.load(Ordering::SeqCst) {
            return Err(StoreError::transient(
                "append_batch",
                "the store has failed",
            ));
        }
        let replies = below.append_batch(requests).await;
        self.0.fetch_or(replies.is_err(), Ordering::SeqCst);
        replies
    }
}

#[derive(Debug)]
struct AllAreRefused;

#[async_trait]
impl Bug for AllAreRefused {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let mut replies = below.append_batch(requests).await?;
        if let Some(refusal) = replies.iter().find_map(|reply| reply.clone().err()) {
            replies.fill(Err(refusal));
        }
        Ok(replies)
    }
}

#[derive(Debug)]
struct SaysNothingHappened;

#[async_trait]
impl Bug for SaysNothingHappened {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let replies = below.append_batch(requests).await;
        replies.map_err(|error| StoreError::transient("append_batch", error))
    }
}

#[derive(Debug)]
struct Saves;

#[async_trait]
impl Bug for Saves {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let replies = below.append_batch(requests).await?;
        for request in requests {
            below.load_state(&request.run).await?;
        }
        Ok(replies)
    }
}

#[derive(Debug, Default)]
struct OneLock(Mutex<()>);

#[async_trait]
impl Bug for OneLock {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let _locked = self.0.lock().await;
        below.append_batch(requests).await
    }
}

#[derive(Debug)]
struct MakesRuns(Slow);

#[async_trait]
impl Bug for MakesRuns {
    async fn bootstrap(
        &self,
        _: &dyn Store,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError> {
        self.0.bootstrap_run(request).await
    }
}

#[derive(Debug)]
struct RemembersNothing(Slow);

#[async_trait]
impl Bug for RemembersNothing {
    async fn append(&self, _: &dyn Store, requests: &[AppendRequest]) -> Replies {
        real(self.0.clone(), 1).append_batch(requests).await
    }
}
