//! What reads ask for and get.

use crate::event::RunEvent;
use crate::identifier::{EnvironmentId, ProjectId, RunId, TenantId};
use crate::metadata::{ProviderRef, RunMetadata};
use crate::run_key::RunKey;
use crate::run_status::RunStatus;
use crate::timestamp::Timestamp;

/// A run as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: RunKey,
    /// What it is a run of.
    pub metadata: RunMetadata,
    /// Where its provider knows it.
    pub provider_ref: Option<ProviderRef>,
    /// Its status: the tolerant fold of its log.
    pub status: RunStatus,
    /// Its last `run_seq`; 0 without events.
    pub head: u64,
    /// Its cursor: everything up to here is delivered or was skipped.
    pub delivered_seq: u64,
    /// When it was bootstrapped, by the store's clock.
    pub created_at: Timestamp,
    /// When it was pruned, by the store's clock; the record is then a tombstone.
    pub pruned_at: Option<Timestamp>,
}

/// Which runs of a tenant to list. They come in the order of their run ids, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunQuery {
    /// The owner.
    pub tenant_id: TenantId,
    /// Only runs of this project.
    pub project_id: Option<ProjectId>,
    /// Only runs in this environment.
    pub environment_id: Option<EnvironmentId>,
    /// Only runs in this status.
    pub status: Option<RunStatus>,
    /// Only runs bootstrapped at this moment or later, by the store's clock.
    pub created_since: Option<Timestamp>,
    /// Only runs bootstrapped before this moment, by the store's clock.
    pub created_before: Option<Timestamp>,
    /// Only pruned runs, or only those that are not.
    pub pruned: Option<bool>,
    /// Only runs whose id is greater: the last one of the page before.
    pub after: Option<RunId>,
    /// At most this many; 0 gives none, more than [`MAX_PAGE`](crate::MAX_PAGE) counts as that.
    pub limit: u32,
}

impl RunQuery {
    /// The first page of all runs of a tenant.
    #[must_use]
    pub fn new(tenant_id: TenantId) -> Self {
        Self {
            tenant_id,
            project_id: None,
            environment_id: None,
            status: None,
            created_since: None,
            created_before: None,
            pruned: None,
            after: None,
            limit: crate::limits::MAX_PAGE,
        }
    }
}

/// A piece of a run's log and the head, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The run's last `run_seq`.
    pub head: u64,
    /// Set if the run was pruned: its events are gone, its head stays.
    pub pruned_at: Option<Timestamp>,
    /// The events, in log order without a gap.
    pub events: Vec<RunEvent>,
}

impl EventPage {
    /// Whether the log went no further than this page when it was read after `after_seq`.
    #[must_use]
    pub fn is_last(&self, after_seq: u64) -> bool {
        let read = self.events.last().map_or(after_seq, |event| event.run_seq);
        self.pruned_at.is_some() || read >= self.head
    }
}

/// The answer to a prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneOutcome {
    /// When the run was first pruned, by the store's clock.
    pub pruned_at: Timestamp,
    /// How many events this call removed; 0 if nothing was left to remove.
    pub removed: u64,
}
