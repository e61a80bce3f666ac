use std::time::Duration;

use async_trait::async_trait;

use crate::claim::{ClaimRequest, ClaimedRun};
use crate::dead_letter::{DeadLetter, DeadLetterQuery, OperatorNote};
use crate::destination::Destination;
use crate::lease::{Acknowledgement, FailOutcome, Lease, LeaseError};
use crate::outbox_error::OutboxError;
use crate::pending::{OutboxStats, PendingQuery, PendingRun};
use crate::retry_policy::RetryPolicy;
use crate::run_key::RunKey;
use crate::safe_text::SafeText;

/// The transactional outbox: hands every appended event to the outside, at least once and in order per run.
///
/// # Contract
///
/// The outbox is a cursor per run, not a copy of its events. A relay **claims** runs and gets their next events
/// under a **lease**, publishes them, and then ends the lease in one of three ways: it acknowledges
/// ([`mark_delivered`](Self::mark_delivered)), fails ([`mark_failed`](Self::mark_failed)) or gives
/// back ([`release`](Self::release)). A lease that nobody ends expires, and the run is claimed again.
/// Acknowledge, fail and release ask for the token alone: late work counts as long as nobody else has claimed the
/// run. A caller whose reply was lost repeats its call: `StaleLease { delivered_seq }` tells it whether its
/// work is done. All times are the store's clock's.
///
/// At any time each event of a log is delivered, pending or dead. Up to the cursor everything is delivered, or was
/// skipped and is a dead letter; an open dead letter stands for the first event after the cursor. An ended lease is
/// `StaleLease` whatever else is wrong with the call.
///
/// Every sentence under `# Adapter must` is checked by one case of the conformance suite, which quotes it.
///
/// # Adapter must
///
/// - hand out each run's events as 1, 2, 3 … without a gap over any mix of claims and answers
/// - refuse a lease that was used, released or stolen with `StaleLease` telling the cursor, in every method, and change nothing
/// - accept acknowledge, fail and release under an expired lease that nobody has stolen
/// - answer lease work on a run that is not there with `RunNotFound`
/// - reset a run's unfinished claims at any acknowledge, fail or release
#[async_trait]
pub trait OutboxStorage: std::fmt::Debug + Send + Sync {
    /// Claims runs that are due, and their next events. Runs that became due at the same moment may come in any order.
    ///
    /// # Adapter must
    ///
    /// - give the events after the cursor, in log order and as the log holds them
    /// - take at most `max_runs` runs, and none for 0
    /// - take at most `max_events_per_run` events of a run, and none for 0
    /// - end the claim before the event that would exceed `max_bytes` of payload, but give at least one event
    /// - take the runs that have been due longest first
    /// - tell how often a run was claimed since its last answer
    /// - raise `claim_no` by exactly one with each claim of a run
    /// - make a new token for each claim
    /// - end a lease the given time after the claim
    /// - refuse a lease shorter than `MIN_LEASE` or longer than `MAX_LEASE`, here and in `extend`
    /// - leave a run under an unexpired lease alone
    /// - give the same events again once their lease has expired
    /// - answer with nothing, and change nothing, when nothing is due
    /// - leave events that are appended under a lease to the next claim
    /// - claim a run with `UNFINISHED_CLAIMS_ALONE` unfinished claims alone when it is due longest, and pass over it until then
    /// - give each due run to exactly one of several concurrent claims
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<ClaimedRun>, OutboxError>;

    /// Lengthens leases: each ends the given time from now. The reply has one entry for each lease, in order.
    ///
    /// # Adapter must
    ///
    /// - move the end of a lease to the given time from now, and reply with it
    /// - refuse to extend an expired lease with `StaleLease`, even if nobody has stolen it
    async fn extend(
        &self,
        leases: &[Lease],
        by: Duration,
    ) -> Result<Vec<Result<Lease, LeaseError>>, OutboxError>;

    /// Acknowledges: everything up to `through` is delivered, and the lease ends. The reply has one entry for each
    /// acknowledgement, in order.
    ///
    /// # Adapter must
    ///
    /// - move the cursor to `through` and end the lease
    /// - make the rest of the run due at once
    /// - refuse to acknowledge an event delivered before or not under the lease with `SeqOutOfRange`, and keep the lease
    /// - make a run due that an event is appended to while its last one is acknowledged
    /// - answer each acknowledgement of a call on its own, as if one after another
    /// - refuse a call with more than `MAX_CALL_LEASES` leases
    /// - set attempts and last error back when the cursor moves
    async fn mark_delivered(
        &self,
        acknowledgements: &[Acknowledgement],
    ) -> Result<Vec<Result<(), LeaseError>>, OutboxError>;

    /// Fails: event `seq` could not be delivered, everything before it was; the lease ends. Counting the attempt,
    /// writing the dead letter and parking are one step. What the lease does not allow is an
    /// [`OutboxError::Lease`], as in the other answers to a lease.
    ///
    /// # Adapter must
    ///
    /// - hold the run back until the policy's delay has passed, and reply with that moment
    /// - keep the delay of full jitter between zero and its ceiling
    /// - count the attempts of one event over all claims, and tell them with each
    /// - acknowledge everything before the failed event
    /// - keep the error as the run's last error
    /// - leave all other runs alone
    /// - refuse to fail an event delivered before or not under the lease with `SeqOutOfRange`, and keep the lease
    /// - double the delay with each failure up to the policy's cap, however many there were
    /// - park the run at exactly `max_attempts`, with its dead letter
    /// - pass over the event at `max_attempts` under the policy `Skip`, with its dead letter, and go on
    async fn mark_failed(
        &self,
        lease: &Lease,
        seq: u64,
        error: &SafeText,
        policy: &RetryPolicy,
    ) -> Result<FailOutcome, OutboxError>;

    /// Gives claimed runs back undone. The reply has one entry for each lease, in order.
    ///
    /// # Adapter must
    ///
    /// - make a released run due at once, behind those already due, and count no attempt
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Result<(), LeaseError>>, OutboxError>;

    /// A page of the runs with undelivered events. A page shorter than the smaller of its limit and
    /// [`MAX_PAGE`](crate::MAX_PAGE) is the last one.
    ///
    /// # Adapter must
    ///
    /// - tell of each run with undelivered events its cursor, head, age, state and counts, and of no other run
    /// - give pages of pending runs in the order of their keys that fit together, of one tenant if asked
    /// - change nothing by peeking
    async fn list_pending(&self, query: &PendingQuery) -> Result<Vec<PendingRun>, OutboxError>;

    /// A page of the dead letters. A page shorter than the smaller of its limit and
    /// [`MAX_PAGE`](crate::MAX_PAGE) is the last one.
    ///
    /// # Adapter must
    ///
    /// - tell of a dead letter its event, attempts, cause, error and time
    /// - give pages of dead letters that fit together, open ones or one tenant's only if asked
    async fn list_dead_letters(
        &self,
        query: &DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, OutboxError>;

    /// Lets the event of a dead letter go out again: its run is due at once, with no attempts counted. Returns the
    /// resolved dead letter.
    ///
    /// # Adapter must
    ///
    /// - deliver the event of a retried dead letter again, the same as before, with attempts and last error set back
    /// - answer a repeated retry or skip with the same dead letter, and change nothing
    /// - record a second dead letter when a retried event dies again, and keep the first
    /// - refuse to retry a skipped dead letter, or to skip a retried one, with `DeadLetterResolved`
    /// - answer an unknown dead letter with `DeadLetterNotFound`
    /// - let concurrent retries of one dead letter resolve it once
    async fn retry_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError>;

    /// Gives the event of a dead letter up for good: the cursor moves past it and the run goes on. Returns the
    /// resolved dead letter.
    ///
    /// # Adapter must
    ///
    /// - move the cursor past a skipped event, never deliver it, and go on with the next one
    async fn skip_dead_letter(
        &self,
        run: &RunKey,
        dead_letter_no: u64,
        note: &OperatorNote,
    ) -> Result<DeadLetter, OutboxError>;

    /// Parks a run by hand: the event after the cursor becomes a dead letter. Returns it, or the one that parks the
    /// run already.
    ///
    /// # Adapter must
    ///
    /// - park a run on an operator's word, with a dead letter whose error is the note's text
    /// - end the lease of a run that is parked, and set its unfinished claims back
    /// - answer for a parked run with the dead letter that parks it, and write no other
    /// - refuse to park a run without undelivered events with `NothingPending`
    /// - take appends to a parked run without delivering them
    async fn park_run(&self, run: &RunKey, note: &OperatorNote) -> Result<DeadLetter, OutboxError>;

    /// Names where this outbox delivers to. Two relays with different targets would split the stream silently.
    ///
    /// # Adapter must
    ///
    /// - keep the first destination, for every handle, and accept it again
    /// - refuse another destination with `DestinationMismatch` telling both
    /// - let exactly one of several concurrent bindings to different destinations win
    async fn bind_destination(&self, destination: &Destination) -> Result<(), OutboxError>;

    /// Replaces the destination `from` by `to`; if `to` is bound already, nothing is left to do. The note is kept with the
    /// change.
    ///
    /// # Adapter must
    ///
    /// - replace the destination only if it is the one named, accept a repetition, and tell the last change
    async fn retarget(
        &self,
        from: &Destination,
        to: &Destination,
        note: &OperatorNote,
    ) -> Result<(), OutboxError>;

    /// The whole outbox in numbers.
    ///
    /// # Adapter must
    ///
    /// - count each run with undelivered events in exactly one state, and each undelivered event once
    /// - tell the age of the oldest undelivered event
    async fn stats(&self) -> Result<OutboxStats, OutboxError>;
}
