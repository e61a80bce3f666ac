use dvt_contracts::{
    MAX_PAGE, ProviderRef, RunKey, RunMetadata, RunQuery, RunRecord, StoreError, TenantId,
};
use sqlx::PgConnection;

use crate::database::Database;
use crate::event_columns::{count, text};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

struct RunRow {
    run_id: String,
    project_id: String,
    environment_id: String,
    plan_id: String,
    plan_version: String,
    provider: Option<String>,
    provider_namespace: Option<String>,
    provider_workflow_id: Option<String>,
    provider_run_id: Option<String>,
    status: String,
    last_seq: i64,
    delivered_seq: i64,
    created_at: Moment,
    pruned_at: Option<Moment>,
}

impl RunRow {
    fn decode(self, tenant_id: &TenantId) -> Result<RunRecord, Fault> {
        let provider_ref = match (self.provider, self.provider_workflow_id) {
            (Some(provider), Some(workflow_id)) => {
                let namespace = self.provider_namespace.as_deref();
                let run_id = self.provider_run_id.as_deref();
                let provider_ref = ProviderRef::new(&provider, namespace, &workflow_id, run_id);
                Some(provider_ref.map_err(|error| Fault::corrupt("provider reference", error))?)
            }
            _ => None,
        };
        Ok(RunRecord {
            run: RunKey::new(tenant_id.clone(), text("run id", &self.run_id)?),
            metadata: RunMetadata {
                project_id: text("project id", &self.project_id)?,
                environment_id: text("environment id", &self.environment_id)?,
                plan_id: text("plan id", &self.plan_id)?,
                plan_version: text("plan version", &self.plan_version)?,
            },
            provider_ref,
            status: text("status", &self.status)?,
            head: count(self.last_seq)?,
            delivered_seq: count(self.delivered_seq)?,
            created_at: self.created_at.0,
            pruned_at: self.pruned_at.map(|moment| moment.0),
        })
    }
}

/// `queries/get_run.sql`
struct GetRun<'a>(&'a RunKey);

impl Statement for GetRun<'_> {
    const WRITES: bool = false;
    type Reply = Option<RunRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            RunRow,
            "queries/get_run.sql",
            self.0.tenant_id.as_str(),
            self.0.run_id.as_str(),
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn get_run(database: &Database, run: &RunKey) -> Result<RunRecord, StoreError> {
    let failed = |fault: Fault| fault.store("get_run");
    let row = database.ask(&database.call(), &GetRun(run)).await;
    match row.map_err(failed)? {
        Some(row) => row.decode(&run.tenant_id).map_err(failed),
        None => Err(StoreError::RunNotFound { run: run.clone() }),
    }
}

/// `queries/list_runs.sql`
struct ListRuns<'a>(&'a RunQuery);

impl Statement for ListRuns<'_> {
    const WRITES: bool = false;
    type Reply = Vec<RunRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        let query = self.0;
        sqlx::query_file_as!(
            RunRow,
            "queries/list_runs.sql",
            query.tenant_id.as_str(),
            query.after.as_ref().map_or("", AsRef::as_ref),
            i64::from(query.limit.min(MAX_PAGE)),
            query.project_id.as_ref().map(AsRef::as_ref),
            query.environment_id.as_ref().map(AsRef::as_ref),
            query.status.map(|status| status.as_str()),
            query.created_since.map(Moment) as _,
            query.created_before.map(Moment) as _,
            query.pruned,
        )
        .fetch_all(connection)
        .await
    }
}

pub(super) async fn list_runs(
    database: &Database,
    query: &RunQuery,
) -> Result<Vec<RunRecord>, Fault> {
    let rows = database.ask(&database.call(), &ListRuns(query)).await?;
    rows.into_iter()
        .map(|row| row.decode(&query.tenant_id))
        .collect()
}

/// `queries/list_tenants.sql`
struct ListTenants<'a> {
    after: &'a str,
    limit: i64,
}

impl Statement for ListTenants<'_> {
    const WRITES: bool = false;
    type Reply = Vec<String>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_scalar!("queries/list_tenants.sql", self.after, self.limit)
            .fetch_all(connection)
            .await
    }
}

pub(super) async fn list_tenants(
    database: &Database,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<TenantId>, Fault> {
    let statement = ListTenants {
        // No tenant id is empty.
        after: after.map_or("", AsRef::as_ref),
        limit: i64::from(limit.min(MAX_PAGE)),
    };
    let tenants = database.ask(&database.call(), &statement).await?;
    tenants
        .iter()
        .map(|tenant| text("tenant id", tenant))
        .collect()
}
