//! Group commits with one bug each.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dvt_conformance::async_trait;
use dvt_contracts::{AppendRequest, RunStateStore as _, Store};
use dvt_layers::GroupCommit;

use super::toy::{self, Toy};
use crate::bug::{Bug, Replies, With};
use crate::check::Mutant;
use crate::slow::Slow;

/// Without a bug.
pub(super) fn control(store: Slow, flights: usize) -> Arc<dyn Store> {
    Arc::new(Toy::new(store, flights, toy::Bug::None))
}

macro_rules! toy {
    ($bug:ident, $told:literal, $noticed_by:expr) => {
        Mutant {
            bug: $told,
            make: |store, flights| Arc::new(Toy::new(store, flights, toy::Bug::$bug)),
            noticed_by: &$noticed_by,
        }
    };
}

pub(super) fn all() -> Vec<Mutant> {
    vec![
        toy!(
            CallerMakesTheCalls,
            "makes the calls in the future of a caller, who may go away",
            [
                "whoever_goes_away_gives_room",
                "a_caller_that_goes_away_takes_nobody_with_it",
                "a_call_may_be_dropped_at_every_await",
                "a_store_that_panics_is_told_and_the_next_call_is_made"
            ]
        ),
        toy!(
            SendsForTheGone,
            "sends requests of callers that went away before",
            [
                "whoever_goes_away_gives_room",
                "a_caller_that_goes_away_takes_nobody_with_it"
            ]
        ),
        toy!(
            LastComesFirst,
            "serves whoever came last first",
            [
                "callers_are_served_in_the_order_in_which_they_came",
                "a_call_that_waits_is_not_overtaken",
                "whoever_goes_away_gives_room",
                "a_caller_that_goes_away_takes_nobody_with_it",
                "a_poisoned_request_fails_alone"
            ]
        ),
        toy!(
            AllFailTogether,
            "tells all who went out together when the call fails for one of them",
            [
                "a_poisoned_request_fails_alone",
                "the_reason_of_a_failure_is_found_soon"
            ]
        ),
        toy!(
            TriesAnUnknownAgain,
            "repeats a call of which nobody knows whether it was done",
            ["an_unknown_outcome_is_told_to_all_and_is_not_tried_again"]
        ),
        toy!(
            HasRoomForAll,
            "takes in whatever comes, however much waits",
            ["more_than_there_is_room_for_waits_outside"]
        ),
        toy!(
            KeepsTheRoomOfTheGone,
            "does not give the room of callers back that went away",
            ["whoever_goes_away_gives_room"]
        ),
        toy!(
            TellsTheNeighboursReply,
            "tells each caller the reply of the next one",
            [
                "every_caller_hears_what_became_of_its_own_requests",
                "a_refused_request_fails_alone"
            ]
        ),
        toy!(
            TellsARefusalToAll,
            "tells all who went out together when one of them is refused",
            ["a_refused_request_fails_alone"]
        ),
        toy!(
            SendsAllAtOnce,
            "sends more events in a call than a store takes",
            ["no_call_is_larger_than_a_store_takes"]
        ),
        toy!(
            AsksForEver,
            "looks for the one reason of a failure however long that takes",
            ["a_store_that_is_away_is_not_asked_for_ever"]
        ),
        toy!(
            DiesWithTheStore,
            "keeps the place of a task that a panic has ended",
            ["a_store_that_panics_is_told_and_the_next_call_is_made"]
        ),
        toy!(
            ChecksNothing,
            "lets a wrong call wait with the others",
            ["a_wrong_call_is_refused_before_anybody_waits_for_it"]
        ),
        toy!(
            MixesUpRuns,
            "has two calls for one run under way at once",
            [
                "callers_are_served_in_the_order_in_which_they_came",
                "a_run_is_in_one_call_at_a_time",
                "more_than_there_is_room_for_waits_outside",
                "whoever_goes_away_gives_room",
                "a_caller_that_goes_away_takes_nobody_with_it"
            ]
        ),
        toy!(
            TriesThemOneByOne,
            "tries all who failed together one by one",
            ["the_reason_of_a_failure_is_found_soon"]
        ),
        toy!(
            OneTakesAll,
            "lets one of two calls at once take all that waits",
            ["calls_at_once_share_what_waits"]
        ),
        toy!(
            Overtakes,
            "lets a call for one run go before an earlier one that waits for another, too",
            [
                "callers_are_served_in_the_order_in_which_they_came",
                "a_call_that_waits_is_not_overtaken"
            ]
        ),
        Mutant {
            bug: "calls the store for each caller",
            make: |store, _| Arc::new(store),
            noticed_by: &[
                "what_comes_during_a_call_goes_out_as_one",
                "as_many_calls_are_made_at_once_as_may_be",
                "calls_at_once_share_what_waits",
                "a_run_is_in_one_call_at_a_time",
                "more_than_there_is_room_for_waits_outside",
                "a_caller_that_goes_away_takes_nobody_with_it",
                "the_reason_of_a_failure_is_found_soon",
                "a_wrong_call_is_refused_before_anybody_waits_for_it",
                "a_store_that_panics_is_told_and_the_next_call_is_made",
            ],
        },
        Mutant {
            bug: "waits a while for company",
            make: |store, flights| Arc::new(With::new(Waits, over(store, flights))),
            noticed_by: &[
                "an_idle_store_is_called_at_once",
                "more_than_there_is_room_for_waits_outside",
                "a_store_that_is_away_is_not_asked_for_ever",
            ],
        },
        Mutant {
            bug: "makes each call of the store twice",
            make: |store, flights| Arc::new(over(With::new(Repeats, store), flights)),
            noticed_by: &[
                "what_comes_during_a_call_goes_out_as_one",
                "an_idle_store_is_called_at_once",
                "every_caller_hears_what_became_of_its_own_requests",
                "no_call_is_larger_than_a_store_takes",
                "as_many_calls_are_made_at_once_as_may_be",
                "whoever_goes_away_gives_room",
                "the_reason_of_a_failure_is_found_soon",
            ],
        },
        Mutant {
            bug: "makes one call at a time whatever it is told",
            make: |store, _| Arc::new(over(store, 1)),
            noticed_by: &[
                "as_many_calls_are_made_at_once_as_may_be",
                "calls_at_once_share_what_waits",
            ],
        },
        Mutant {
            bug: "sends callers to queues that do not know each other",
            make: |store, flights| {
                let queues = (0..flights).map(|_| over(store.clone(), 1)).collect();
                Arc::new(With::new(
                    Deals {
                        queues,
                        next: AtomicUsize::new(0),
                    },
                    store,
                ))
            },
            noticed_by: &[
                "callers_are_served_in_the_order_in_which_they_came",
                "a_run_is_in_one_call_at_a_time",
                "more_than_there_is_room_for_waits_outside",
                "whoever_goes_away_gives_room",
                "a_caller_that_goes_away_takes_nobody_with_it",
            ],
        },
    ]
}

fn over<S: Store + 'static>(store: S, flights: usize) -> GroupCommit<S> {
    GroupCommit::with_flights(store, NonZeroUsize::new(flights).unwrap())
}

#[derive(Debug)]
struct Waits;

#[async_trait]
impl Bug for Waits {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        tokio::time::sleep(Duration::from_micros(100)).await;
        below.append_batch(requests).await
    }
}

#[derive(Debug)]
struct Repeats;

#[async_trait]
impl Bug for Repeats {
    async fn append(&self, below: &dyn Store, requests: &[AppendRequest]) -> Replies {
        below.append_batch(requests).await?;
        below.append_batch(requests).await
    }
}

#[derive(Debug)]
struct Deals {
    queues: Vec<GroupCommit<Slow>>,
    next: AtomicUsize,
}

#[async_trait]
impl Bug for Deals {
    async fn append(&self, _: &dyn Store, requests: &[AppendRequest]) -> Replies {
        let next = self.next.fetch_add(1, Ordering::SeqCst) % self.queues.len();
        self.queues[next].append_batch(requests).await
    }
}
