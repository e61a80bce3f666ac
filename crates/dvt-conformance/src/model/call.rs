use std::time::Duration;

use dvt_contracts::{
    AppendRequest, BootstrapRequest, Checkpoint, ClaimRequest, DeadLetterQuery, Destination, Lease,
    OperatorNote, PendingQuery, ProviderRef, ResolutionKind, RetryPolicy, RunKey, RunQuery,
    SafeText, TenantId,
};

/// A claim that some call of the history got.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) lease: Lease,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// One operation of a history, with all its arguments.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Bootstrap(BootstrapRequest),
    Append(Vec<AppendRequest>),
    GetRun(RunKey),
    ListRuns(RunQuery),
    ListTenants(Option<TenantId>, u32),
    ListEvents(RunKey, u64, u32),
    SaveProviderRef(RunKey, ProviderRef),
    LoadCheckpoint(RunKey),
    SaveCheckpoint(RunKey, Checkpoint),
    Prune(RunKey),
    Claim(ClaimRequest),
    Extend(Vec<Grant>, Duration),
    MarkDelivered(Vec<(Grant, u64)>),
    MarkFailed(Grant, u64, SafeText, RetryPolicy),
    Release(Vec<Grant>),
    ListPending(PendingQuery),
    ListDeadLetters(DeadLetterQuery),
    Resolve(RunKey, u64, ResolutionKind, OperatorNote),
    Park(RunKey, OperatorNote),
    Bind(Destination),
    Retarget(Destination, Destination, OperatorNote),
    Stats,
    /// Moves the clock by so many steps of [`STEP`](super::snap::STEP).
    Advance(u32),
}
