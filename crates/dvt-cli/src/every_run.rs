use std::collections::VecDeque;

use dvt_contracts::{
    MAX_PAGE, RunQuery, RunRecord, RunStateStore, StoreError, TenantId, Timestamp,
};

/// All runs of a store, or of one tenant, in the order of their keys, page by page.
#[derive(Debug)]
pub(crate) struct EveryRun {
    filter: Filter,
    /// The tenant that is being listed, and where to go on.
    query: Option<RunQuery>,
    /// The tenants after it that are known.
    tenants: VecDeque<TenantId>,
    /// The last tenant known, if others may come after it.
    after: Option<Option<TenantId>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Filter {
    created_before: Option<Timestamp>,
    pruned: Option<bool>,
}

impl Filter {
    fn query(self, tenant_id: TenantId) -> RunQuery {
        RunQuery {
            created_before: self.created_before,
            pruned: self.pruned,
            ..RunQuery::new(tenant_id)
        }
    }
}

impl EveryRun {
    /// Those of this tenant, else all.
    pub(crate) fn of(tenant: Option<TenantId>) -> Self {
        Self::filtered(tenant, Filter::default())
    }

    /// The same without tombstones and without runs that the store got at this moment or later.
    pub(crate) fn with_events_before(tenant: Option<TenantId>, moment: Timestamp) -> Self {
        let filter = Filter {
            created_before: Some(moment),
            pruned: Some(false),
        };
        Self::filtered(tenant, filter)
    }

    fn filtered(tenant: Option<TenantId>, filter: Filter) -> Self {
        let after = match tenant {
            Some(_) => None,
            None => Some(None),
        };
        Self {
            filter,
            query: tenant.map(|tenant| filter.query(tenant)),
            tenants: VecDeque::new(),
            after,
        }
    }

    /// The next runs; none at the end.
    pub(crate) async fn next_page(
        &mut self,
        store: &(impl RunStateStore + ?Sized),
    ) -> Result<Vec<RunRecord>, StoreError> {
        loop {
            if let Some(query) = &mut self.query {
                let page = store.list_runs(query).await?;
                query.after = page.last().map(|record| record.run.run_id.clone());
                if page.len() < MAX_PAGE as usize {
                    self.query = None;
                }
                if !page.is_empty() {
                    return Ok(page);
                }
                continue;
            }
            if let Some(tenant) = self.tenants.pop_front() {
                self.query = Some(self.filter.query(tenant));
                continue;
            }
            let Some(after) = self.after.take() else {
                return Ok(Vec::new());
            };
            self.tenants = store.list_tenants(after.as_ref(), MAX_PAGE).await?.into();
            if self.tenants.len() == MAX_PAGE as usize {
                self.after = Some(self.tenants.back().cloned());
            }
        }
    }
}
