use dvt_contracts::{MAX_PAGE, RunQuery, RunRecord, Store, StoreError, TenantId};

use crate::args::RunsArgs;

/// The runs that a command asks for, page by page, through one tenant or all of them.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    store: &'a dyn Store,
    args: &'a RunsArgs,
    /// The tenant that is being listed.
    query: Option<RunQuery>,
    /// The tenants after it, in reverse.
    tenants: Vec<TenantId>,
    /// The last tenant of the last page of tenants, if there may be others after it.
    tenants_after: Tenants,
}

/// Which tenants are still to be asked for.
#[derive(Debug)]
enum Tenants {
    After(Option<TenantId>),
    NoMore,
}

impl<'a> Pages<'a> {
    /// The pages from the first on.
    pub(super) fn new(store: &'a dyn Store, args: &'a RunsArgs) -> Self {
        let first = args.tenant.as_ref().or(args.from_tenant.as_ref());
        let query = first.map(|tenant_id| RunQuery {
            after: args.after.clone(),
            ..query(args, tenant_id.clone())
        });
        let tenants_after = match args.tenant {
            Some(_) => Tenants::NoMore,
            None => Tenants::After(args.from_tenant.clone()),
        };
        Self {
            store,
            args,
            query,
            tenants: Vec::new(),
            tenants_after,
        }
    }

    /// The next runs, at most `limit`; none at the end.
    pub(super) async fn next(&mut self, limit: u64) -> Result<Vec<RunRecord>, StoreError> {
        let limit = u32::try_from(limit).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        loop {
            let Some(query) = &mut self.query else {
                match self.next_tenant().await? {
                    Some(tenant_id) => self.query = Some(query(self.args, tenant_id)),
                    None => return Ok(Vec::new()),
                }
                continue;
            };
            query.limit = limit;
            let page = self.store.list_runs(query).await?;
            query.after = page.last().map(|record| record.run.run_id.clone());
            if page.len() < limit as usize {
                self.query = None;
            }
            if !page.is_empty() {
                return Ok(page);
            }
        }
    }

    async fn next_tenant(&mut self) -> Result<Option<TenantId>, StoreError> {
        if self.tenants.is_empty()
            && let Tenants::After(after) = &self.tenants_after
        {
            self.tenants = self.store.list_tenants(after.as_ref(), MAX_PAGE).await?;
            self.tenants_after = match self.tenants.last() {
                Some(last) if self.tenants.len() == MAX_PAGE as usize => {
                    Tenants::After(Some(last.clone()))
                }
                _ => Tenants::NoMore,
            };
            self.tenants.reverse();
        }
        Ok(self.tenants.pop())
    }
}

/// The first page of a tenant's runs.
fn query(args: &RunsArgs, tenant_id: TenantId) -> RunQuery {
    RunQuery {
        project_id: args.project.clone(),
        environment_id: args.environment.clone(),
        status: args.status,
        created_since: args.since,
        created_before: args.before,
        pruned: args.pruned.then_some(true),
        ..RunQuery::new(tenant_id)
    }
}
