//! What a `TransitionGuard` refuses, and what it does about other writers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use dvt_adapter_memory::MemoryStore;
use dvt_conformance::fixture::{event, metadata, run};
use dvt_contracts::{
    AppendError, AppendRequest, BootstrapRequest, Event, EventType, RunStateStore as _,
    RunStateStoreExt as _, Store, StoreError,
};
use dvt_layers::TransitionGuard;
use tokio::task::JoinSet;

use crate::check::checks;
use crate::slow::Slow;

mod bugs;
mod mutants;
mod rules;
mod writers;

use self::rules::*;
use self::writers::*;

/// The layer, which remembers so many runs.
fn real(store: Slow, runs: usize) -> Arc<dyn Store> {
    let runs = NonZeroUsize::new(runs).unwrap();
    Arc::new(TransitionGuard::with_capacity(store, runs))
}

checks! {
    super::real;
    illegal_events_are_refused_and_legal_ones_are_not,
    a_known_event_is_told_legal_now_or_not,
    a_request_is_refused_as_a_whole_and_its_neighbours_are_not,
    what_is_known_already_moves_nothing,
    what_the_caller_expects_is_held,
    what_the_caller_expects_may_come_true,
    illegal_first_events_make_no_run,
    another_writer_is_noticed_before_anything_is_written,
    a_writer_that_comes_in_between_is_noticed,
    what_others_wrote_in_between_moves_nothing,
    a_run_that_others_change_all_the_time_is_given_up_for_now,
    callers_of_one_run_wait_for_each_other_and_others_do_not,
    a_known_run_is_not_read_again,
    no_more_runs_are_remembered_than_may_be,
    no_append_saves_a_checkpoint,
    a_long_run_is_read_from_its_checkpoint,
    a_call_may_be_dropped_at_every_await,
    a_poisoned_request_fails_alone,
    a_call_of_which_a_part_was_done_has_an_unknown_outcome,
}

fn of(run_id: &str, events: Vec<Event>) -> AppendRequest {
    AppendRequest::new(run(run_id), events)
}

fn is_illegal(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Append(AppendError::IllegalTransition { .. })
    )
}

#[test]
fn every_mutant_is_noticed() {
    crate::check::are_noticed(&mutants::all(), CHECKS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_ends_exactly_one_is_written() {
    for round in 0..50 {
        let memory = MemoryStore::new();
        let request = BootstrapRequest {
            run: run("a"),
            metadata: metadata(),
            events: vec![event(EventType::RunStarted, "start")],
        };
        memory.bootstrap_run(&request).await.unwrap();
        let guards: Vec<_> = (0..4)
            .map(|_| Arc::new(TransitionGuard::new(memory.clone())))
            .collect();
        let mut callers = JoinSet::new();
        for number in 0..16 {
            let guard = Arc::clone(&guards[number % 4]);
            callers.spawn(async move {
                let kind = [EventType::RunCompleted, EventType::RunCancelled][number % 2].clone();
                let end = of("a", vec![event(kind, &format!("end-{number}"))]);
                match guard.append_and_enqueue(end).await {
                    Ok(_) => 1,
                    Err(error) => {
                        assert!(is_illegal(&error), "{error:?}");
                        0
                    }
                }
            });
        }
        let ended: u32 = callers.join_all().await.into_iter().sum();

        assert_eq!(ended, 1, "round {round}");
        let record = memory.get_run(&run("a")).await.unwrap();
        assert_eq!(record.head, 2);
        assert!(record.status.is_terminal());
    }
}
