//! What callers of a `GroupCommit` notice of one another: nothing.

use std::num::NonZeroUsize;
use std::sync::Arc;

use dvt_conformance::fixture::{note, run};
use dvt_contracts::{AppendRequest, Event, RunStateStore as _, Store};
use dvt_layers::GroupCommit;
use tokio::task::JoinSet;

use crate::check::checks;
use crate::slow::Slow;

mod callers;
mod failures;
mod mutants;
mod room;
mod toy;

use self::callers::*;
use self::failures::*;
use self::room::*;

/// The layer, with so many calls of the store at once.
fn real(store: Slow, flights: usize) -> Arc<dyn Store> {
    let flights = NonZeroUsize::new(flights).unwrap();
    Arc::new(GroupCommit::with_flights(store, flights))
}

checks! {
    super::real;
    what_comes_during_a_call_goes_out_as_one,
    an_idle_store_is_called_at_once,
    callers_are_served_in_the_order_in_which_they_came,
    a_call_that_waits_is_not_overtaken,
    every_caller_hears_what_became_of_its_own_requests,
    no_call_is_larger_than_a_store_takes,
    as_many_calls_are_made_at_once_as_may_be,
    calls_at_once_share_what_waits,
    a_run_is_in_one_call_at_a_time,
    more_than_there_is_room_for_waits_outside,
    whoever_goes_away_gives_room,
    a_caller_that_goes_away_takes_nobody_with_it,
    a_call_may_be_dropped_at_every_await,
    a_poisoned_request_fails_alone,
    the_reason_of_a_failure_is_found_soon,
    a_refused_request_fails_alone,
    an_unknown_outcome_is_told_to_all_and_is_not_tried_again,
    a_store_that_is_away_is_not_asked_for_ever,
    a_wrong_call_is_refused_before_anybody_waits_for_it,
    a_store_that_panics_is_told_and_the_next_call_is_made,
}

fn request(run_id: &str, event: Event) -> AppendRequest {
    AppendRequest::new(run(run_id), vec![event])
}

#[test]
fn every_mutant_is_noticed() {
    crate::check::are_noticed(&mutants::all(), CHECKS);
}

/// What the mutants are planted in has no bug of its own.
#[test]
fn the_toy_without_a_bug_passes() {
    for (_, check) in CHECKS {
        crate::check::passes(mutants::control, *check);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_times_the_same_event_from_32_callers_is_one() {
    const CALLERS: usize = 32;
    const APPENDS: usize = 1_000_000;
    const IN_A_CALL: usize = 125;
    let store = Slow::new().with_runs(&["a"]).await;
    store.open();
    let layer = real(store.clone(), 1);
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let layer = Arc::clone(&layer);
        callers.spawn(async move {
            let requests = vec![request("a", note("k")); IN_A_CALL];
            let mut appended = 0;
            for _ in 0..APPENDS / CALLERS / IN_A_CALL {
                for reply in layer.append_batch(&requests).await.unwrap() {
                    let outcome = reply.unwrap();
                    assert_eq!((outcome.head, outcome.events.len()), (1, 1));
                    appended += 1;
                }
            }
            appended
        });
    }
    let appended: usize = callers.join_all().await.into_iter().sum();

    assert_eq!(appended, APPENDS);
    assert_eq!(store.keys("a").await, ["k"]);
}
