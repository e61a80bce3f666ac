//! Guards with one bug each: the real one, with something between it and its store, or between it and its callers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use dvt_layers::TransitionGuard;

use super::bugs::*;
use super::real;
use crate::bug::With;
use crate::check::Mutant;

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
                "what_others_wrote_in_between_moves_nothing",
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
                "what_others_wrote_in_between_moves_nothing",
                "a_run_that_others_change_all_the_time_is_given_up_for_now"
            ]
        ),
        below!(
            ConflictIgnored,
            "appends all the same when the log has gone on",
            [
                "another_writer_is_noticed_before_anything_is_written",
                "a_writer_that_comes_in_between_is_noticed",
                "what_others_wrote_in_between_moves_nothing",
                "a_run_that_others_change_all_the_time_is_given_up_for_now"
            ]
        ),
        below!(
            ConflictIsFailure,
            "fails when the log has gone on, and does not judge again",
            [
                "another_writer_is_noticed_before_anything_is_written",
                "a_writer_that_comes_in_between_is_noticed",
                "what_others_wrote_in_between_moves_nothing",
                "a_run_that_others_change_all_the_time_is_given_up_for_now"
            ]
        ),
        Mutant {
            bug: "trusts what it has read once",
            make: |store, runs| real(store.with_old_pages(), runs),
            noticed_by: &[
                "what_the_caller_expects_may_come_true",
                "a_run_that_others_change_all_the_time_is_given_up_for_now",
                "no_more_runs_are_remembered_than_may_be",
            ],
        },
        Mutant {
            bug: "folds long runs from their first event on",
            make: |store, runs| real(store.without_checkpoints(), runs),
            noticed_by: &["a_long_run_is_read_from_its_checkpoint"],
        },
        below!(
            KeysAskedOnce::default(),
            "remembers that a key is new",
            [
                "what_the_caller_expects_is_held",
                "what_others_wrote_in_between_moves_nothing",
                "no_more_runs_are_remembered_than_may_be"
            ]
        ),
        above!(
            ConflictAtOnce,
            "tells what a caller expects wrongly by what it has read",
            [
                "what_the_caller_expects_is_held",
                "what_the_caller_expects_may_come_true"
            ]
        ),
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
                "what_others_wrote_in_between_moves_nothing",
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
                "no_append_saves_a_checkpoint",
                "a_long_run_is_read_from_its_checkpoint"
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
