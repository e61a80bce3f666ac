use std::fmt;

use crate::identifier::{RunId, TenantId};

/// Names one run: a tenant and a run id. Two tenants may use the same run id.
///
/// Ordered by tenant, then run id, byte by byte; adapters lock runs in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// The owner.
    pub tenant_id: TenantId,
    /// The run, unique within its owner.
    pub run_id: RunId,
}

impl RunKey {
    /// Joins the two parts.
    #[must_use]
    pub fn new(tenant_id: TenantId, run_id: RunId) -> Self {
        Self { tenant_id, run_id }
    }
}

impl fmt::Display for RunKey {
    /// Writes `tenant/run`, for messages only: both parts may themselves hold a `/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant_id, self.run_id)
    }
}
