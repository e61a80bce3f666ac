use async_trait::async_trait;

use crate::append::{AppendOutcome, AppendRequest, BootstrapOutcome, BootstrapRequest};
use crate::append_error::AppendError;
use crate::checkpoint::{Checkpoint, SaveOutcome};
use crate::identifier::TenantId;
use crate::metadata::ProviderRef;
use crate::outbox::OutboxStorage;
use crate::reading::{EventPage, PruneOutcome, RunQuery, RunRecord};
use crate::run_key::RunKey;
use crate::store_error::StoreError;

/// The run log: takes what happened to runs and tells it again.
///
/// # Contract
///
/// The contract is between adapters (and layers over them) and everybody who records or reads runs.
/// Callers may assume: whatever a reply acknowledged is in the log until the run is pruned, under the number that the
/// reply gave; a call that failed left nothing behind, unless its error is of class `Unknown`; repeating a
/// call with the same keys is always safe. An append *is* the enqueue: each appended event is pending
/// in the [`OutboxStorage`] of the same store by the same atomic step.
///
/// Every sentence under `# Adapter must` is checked by one case of the conformance suite, which quotes it.
///
/// # Adapter must
///
/// - show what one handle on a store wrote to every other handle on it
/// - answer every method that names a run with `RunNotFound` if the run is not there
/// - answer for another tenant's run exactly as for a run that is not there
/// - let two tenants use the same run id with the same keys
/// - compare identifiers and keys byte by byte, without normalisation, case folding or trimming
/// - keep the longest identifiers and keys, in any script, as they were given
/// - do a call wholly or not at all when its future is dropped at any await
/// - behave like the reference model under any history of operations
#[async_trait]
pub trait RunStateStore: std::fmt::Debug + Send + Sync {
    /// Makes a run: its metadata and its first events, in one atomic step.
    ///
    /// # Adapter must
    ///
    /// - store the metadata and the first events, numbered from 1, and reply with both
    /// - accept a run without first events, with head 0 and status Pending
    /// - answer an equal bootstrap with the same creation time and events, as duplicates, with `created` false
    /// - accept an equal bootstrap after the log went on, and change nothing
    /// - refuse other metadata for a run that is there with `RunAlreadyExists`, and change nothing
    /// - refuse a first event that the run does not have, or has with other content, with `RunAlreadyExists`
    /// - let exactly one of several concurrent equal bootstraps create the run
    /// - refuse to bootstrap a pruned run with `RunPruned`
    async fn bootstrap_run(
        &self,
        request: &BootstrapRequest,
    ) -> Result<BootstrapOutcome, StoreError>;

    /// Appends to the logs of one or more runs: the reply has one entry for each request, in order.
    ///
    /// The outer error means that nothing happened, or that the outcome of the whole call is unknown. A request is
    /// judged in this order: is the run there, is the content of its known keys the same (under `Reject`), is the head
    /// the expected one (if any of its keys is new).
    ///
    /// # Adapter must
    ///
    /// - number the events of a run 1, 2, 3 … without a gap, in the order of requests and events
    /// - reply with each event as the log then holds it, with all that was given
    /// - keep payloads byte for byte
    /// - keep `emitted_at` to the microsecond over the whole range of moments
    /// - let `persisted_at` never decrease within a run, even if the store's clock steps back
    /// - store and enqueue events of type `Other` like all others
    /// - accept events that the transition table does not allow, and keep the status equal to the tolerant fold
    /// - answer a known key with the stored event, as a duplicate
    /// - tell of a duplicate whether event type, step, logical attempt and payload are the same, whatever else differs
    /// - let a duplicate consume no `run_seq` and enqueue nothing
    /// - treat a key repeated within a request as a duplicate of its first use
    /// - append the unknown events of a partly known request right after the head
    /// - keep the same key in two runs apart
    /// - refuse a known key with other content under `Reject`, with the stored event, and write nothing of the request
    /// - accept a known key with the same content under `Reject`
    /// - refuse a key repeated with other content within a request under `Reject`, and write nothing of it
    /// - accept `Expected::At` the head, and 0 for an empty log
    /// - refuse `Expected::At` any other head with `VersionConflict` telling both, and write nothing of the request
    /// - answer a request made only of duplicates whatever it expects
    /// - hold a partly known request to what it expects
    /// - execute the requests of a call one after another, each seeing those before it
    /// - refuse a request without touching its neighbours in the call
    /// - write all events of a request or none
    /// - answer a call without requests with an empty reply
    /// - refuse a call with an empty request before executing any other
    /// - refuse a call with more than `MAX_CALL_EVENTS` events, and accept as many as that
    /// - refuse a call with more than `MAX_CALL_BYTES` of payload, and accept as many as that
    /// - refuse to append to a pruned run with `RunPruned`
    /// - number the appends of concurrent writers to a run densely, each reply telling its own number
    /// - write one event for concurrent appends of one key, and give all of them that event
    /// - let exactly one of several concurrent appends at one head win
    /// - give concurrent copies of one conditional append the same reply, never a conflict
    /// - finish concurrent calls that name the same runs in different orders
    async fn append_batch(
        &self,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError>;

    /// The record of a run.
    ///
    /// # Adapter must
    ///
    /// - tell metadata, status, head, cursor and creation time as of now
    async fn get_run(&self, run: &RunKey) -> Result<RunRecord, StoreError>;

    /// A page of a tenant's runs. A page shorter than the smaller of its limit and [`MAX_PAGE`](crate::MAX_PAGE) is the last
    /// one.
    ///
    /// # Adapter must
    ///
    /// - list runs in the order of their ids, byte by byte
    /// - give pages of runs that fit together without a gap or an overlap, none for limit 0
    /// - apply all filters that are set at once
    /// - list the tenant's own runs only
    /// - hold listings and claims to `MAX_PAGE` and `MAX_CLAIM` runs whatever their limit
    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError>;

    /// A page of the tenants that have runs, for those who look after a whole store. A page shorter than the smaller of its
    /// limit and [`MAX_PAGE`](crate::MAX_PAGE) is the last one.
    ///
    /// # Adapter must
    ///
    /// - list each tenant that has a run once, in byte order, after the one given
    async fn list_tenants(
        &self,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantId>, StoreError>;

    /// A page of a run's log: the events after `after_seq`, at most `limit` (0 gives none, more than
    /// [`MAX_PAGE`](crate::MAX_PAGE) counts as that).
    ///
    /// # Adapter must
    ///
    /// - give exactly the events after `after_seq` in log order, up to the limit
    /// - give an empty page with the head for any `after_seq` at or beyond it
    /// - hold a page of events to `MAX_PAGE` whatever the limit
    /// - end a page of events before its payloads exceed `MAX_PAGE_BYTES`
    /// - read the head and the events at one moment, also while writers append
    async fn list_events(
        &self,
        run: &RunKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<EventPage, StoreError>;

    /// Keeps where the run's provider knows it.
    ///
    /// # Adapter must
    ///
    /// - replace the provider reference and show it in the record
    async fn save_provider_ref(
        &self,
        run: &RunKey,
        provider_ref: &ProviderRef,
    ) -> Result<(), StoreError>;

    /// The run's stored checkpoint, as it is: whoever reads it judges it with
    /// [`Checkpoint::restore`].
    ///
    /// # Adapter must
    ///
    /// - give back the checkpoint that was saved last, byte for byte, and none before that
    /// - let no checkpoint change what other reads answer
    async fn load_checkpoint(&self, run: &RunKey) -> Result<Option<Checkpoint>, StoreError>;

    /// Keeps a checkpoint. It need not be a good one.
    ///
    /// # Adapter must
    ///
    /// - keep the stored checkpoint if an older one is saved, and tell its `run_seq`
    /// - replace the stored checkpoint by one of the same `run_seq`
    /// - refuse a checkpoint beyond the head with `CheckpointBeyondHead`
    /// - refuse a checkpoint with a NUL or with more than `MAX_CHECKPOINT_BYTES`
    async fn save_checkpoint(
        &self,
        run: &RunKey,
        checkpoint: &Checkpoint,
    ) -> Result<SaveOutcome, StoreError>;

    /// Removes the events of an ended, fully delivered run and leaves a tombstone, so that the run can never start again
    /// at 1. From the moment that the reply tells, reads show nothing; a store that removes a long log in several steps
    /// finishes an interrupted prune when it is repeated.
    ///
    /// # Adapter must
    ///
    /// - remove the events and the checkpoint, and keep metadata, status, head and the time of the prune
    /// - read a pruned run's log as empty, with its head and the time of the prune
    /// - refuse a run that has not ended with `NotPrunable`
    /// - refuse a run with undelivered events with `NotPrunable`
    /// - answer a second prune with the first one's time and nothing removed
    /// - keep the dead letters of a pruned run
    /// - let a prune and a concurrent append agree: no acknowledged event is removed undelivered
    /// - refuse a provider reference or a checkpoint for a pruned run with `RunPruned`
    async fn prune_run(&self, run: &RunKey) -> Result<PruneOutcome, StoreError>;
}

/// A whole store: the log and its outbox. Implemented for everything that is both.
pub trait Store: RunStateStore + OutboxStorage {}

impl<T: RunStateStore + OutboxStorage + ?Sized> Store for T {}
