use std::time::Duration;

use crate::event::RunEvent;
use crate::lease::Lease;

/// How much to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest {
    /// At most this many runs; 0 claims nothing, more than [`MAX_CLAIM`](crate::MAX_CLAIM) counts as that.
    pub max_runs: u32,
    /// At most this many events of each run; 0 claims nothing, more than
    /// [`MAX_CLAIM`](crate::MAX_CLAIM) counts as that.
    pub max_events_per_run: u32,
    /// At most this many payload bytes in all: the claim ends before the event that would exceed them, but has at least
    /// one event.
    pub max_bytes: u64,
    /// How long the leases last.
    pub lease: Duration,
}

/// A run that was claimed, with its next events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedRun {
    /// The right to deliver them.
    pub lease: Lease,
    /// Failed deliveries of the first event so far.
    pub attempts: u32,
    /// Claims since the last acknowledge, fail, release or park, this one included. At
    /// [`UNFINISHED_CLAIMS_ALONE`](crate::UNFINISHED_CLAIMS_ALONE) and more, whoever claims runs should not work on others
    /// meanwhile: this one may take its process down.
    pub unfinished_claims: u32,
    /// The run's next events in log order, at least one.
    pub events: Vec<RunEvent>,
}
