use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::cx::Cx;
use crate::failure::Failure;

type Played<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// Family and outcome, such as `append::reply_equals_the_log`.
    pub name: &'static str,
    play: for<'a> fn(&'a Cx) -> Played<'a>,
}

impl Case {
    pub(crate) async fn play(&self, cx: &Cx) -> Result<(), Failure> {
        (self.play)(cx).await
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// The one list of cases. It hands itself to the macro named in brackets, after the arguments given.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ([$($callback:tt)+] $arguments:tt) => {
        $($callback)+! {
            $arguments
            // cases: begin
            bootstrap {
                run_is_made_with_its_first_events,
                run_may_begin_without_events,
                equal_bootstrap_gets_the_same_reply,
                equal_bootstrap_is_accepted_later,
                other_metadata_is_refused,
                other_first_events_are_refused,
            }
            append {
                reply_equals_the_log,
                payloads_survive_byte_for_byte,
                emitted_at_survives,
                persisted_at_never_decreases,
                other_events_are_stored_and_enqueued,
                requests_see_those_before_them,
                refused_request_fails_alone,
                requests_are_all_or_nothing,
                empty_call_is_answered_empty,
            }
            idempotency {
                known_key_gets_the_stored_event,
                duplicate_tells_whether_content_is_the_same,
                duplicates_consume_nothing,
                repeated_key_is_a_duplicate_of_its_first_use,
                partly_known_request_appends_the_rest,
                same_key_in_two_runs_is_two_events,
                reject_refuses_other_content,
                reject_accepts_the_same_content,
                reject_refuses_a_key_repeated_with_other_content,
                keys_are_compared_as_bytes,
            }
            sequencing {
                events_are_numbered_without_gaps,
            }
            expected {
                the_head_is_accepted,
                another_head_is_refused,
                duplicates_pass_whatever_they_expect,
                partly_known_request_is_held_to_it,
            }
            reading {
                handles_show_the_same_store,
                missing_run_is_not_found,
                record_tells_the_run_as_it_is,
                provider_ref_is_replaced_and_shown,
                pages_of_events_are_exact,
                page_beyond_the_head_is_empty,
            }
            listing {
                runs_are_listed_in_byte_order,
                pages_of_runs_fit_together,
                filters_apply_together,
                tenants_are_listed_once,
            }
            checkpoint {
                saved_checkpoint_is_loaded,
                older_checkpoint_never_replaces_a_newer,
                equal_run_seq_replaces,
                checkpoint_beyond_the_head_is_refused,
                no_checkpoint_changes_an_answer,
                unstorable_checkpoint_is_refused,
            }
            claim {
                events_are_those_of_the_log,
                no_more_runs_than_asked_for,
                no_more_events_than_asked_for,
                bytes_are_bounded,
                claim_no_rises_by_one,
                tokens_are_new,
                nothing_due_is_no_claim,
                often_unfinished_run_is_claimed_alone,
                unfinished_claims_are_told,
            }
            lease {
                ends_the_given_time_after_the_claim,
                too_short_or_too_long_is_refused,
                unexpired_lease_is_left_alone,
                expired_lease_gives_the_same_events_again,
                lost_lease_is_refused_by_every_method,
                expired_lease_still_counts_unless_stolen,
                missing_run_is_not_found,
                every_answer_resets_unfinished_claims,
                extension_counts_from_now,
                expired_lease_is_not_extended,
            }
            order {
                first_deliveries_have_no_gap,
                longest_due_run_comes_first,
                events_appended_under_a_lease_wait,
                released_run_goes_behind_those_due,
            }
            acknowledge {
                acknowledge_moves_the_cursor,
                rest_of_the_run_is_due_at_once,
                acknowledgement_out_of_range_keeps_the_lease,
                each_acknowledgement_is_answered_on_its_own,
                too_many_leases_are_refused,
            }
            retry {
                run_waits_until_the_delay_has_passed,
                full_jitter_stays_below_its_ceiling,
                attempts_count_failures_over_all_claims,
                events_before_the_failed_one_are_delivered,
                last_error_is_kept,
                other_runs_never_notice,
                failure_out_of_range_keeps_the_lease,
                moving_the_cursor_forgets_failures,
                delays_double_up_to_the_cap,
            }
            dead_letter {
                run_is_parked_at_exactly_max_attempts,
                exhausted_event_is_passed_over_under_skip,
                dead_letter_tells_what_happened,
                pages_of_dead_letters_fit_together,
                retried_event_goes_out_again_first,
                repeated_resolution_changes_nothing,
                second_death_is_a_second_dead_letter,
                resolution_stands,
                unknown_dead_letter_is_not_found,
                skipped_event_is_never_delivered,
            }
            park {
                operator_parks_a_run,
                parking_ends_the_lease,
                parked_run_keeps_its_dead_letter,
                nothing_pending_is_not_parked,
                parked_run_takes_appends,
            }
            destination {
                first_destination_is_kept,
                another_destination_is_refused,
                only_the_destination_named_is_replaced,
            }
            pending {
                pending_runs_are_told_in_full,
                pages_of_pending_runs_fit_together,
                peeking_changes_nothing,
                stats_count_each_run_and_event_once,
                stats_tell_the_age_of_the_oldest_event,
            }
            prune {
                tombstone_is_left,
                reads_find_no_events,
                live_run_is_not_pruned,
                undelivered_events_are_not_pruned,
                second_prune_changes_nothing,
                appends_are_refused,
                bootstrap_is_refused,
                tombstone_is_not_written_to,
                dead_letters_stay,
            }
            tenancy {
                anothers_run_is_not_found,
                same_run_id_in_two_tenants_is_two_runs,
                listing_shows_own_runs_only,
            }
            limits {
                longest_names_survive,
                empty_request_is_refused,
                events_of_a_call_are_bounded,
                bytes_of_a_call_are_bounded,
                page_of_events_is_bounded,
                bytes_of_a_page_are_bounded,
                listings_and_claims_are_bounded,
            }
            races {
                concurrent_bootstraps_make_one_run,
                concurrent_appends_are_dense,
                one_key_is_written_once,
                one_append_at_a_head_wins,
                copies_of_a_conditional_append_agree,
                crosswise_calls_finish,
                pages_do_not_tear,
                dropped_calls_are_whole_or_nothing,
            }
            outbox_races {
                append_beside_the_last_acknowledgement_is_due,
                prune_and_append_agree,
                one_destination_wins,
                concurrent_claims_share_the_runs,
                concurrent_retries_resolve_once,
            }
            tolerant {
                status_is_the_tolerant_fold,
            }
            model {
                random_histories_match_the_model,
            }
            // cases: end
        }
    };
}

macro_rules! table {
    (() $($family:ident { $($case:ident,)* })*) => {
        /// Every case, in the order of the list.
        pub const CASES: &[Case] = &[$($(
            Case {
                name: concat!(stringify!($family), "::", stringify!($case)),
                play: |cx| Box::pin(crate::cases::$family::$case(cx)),
            },
        )*)*];
    };
}

for_each_case! { [table] () }
