use dvt_contracts::{MAX_PAGE, ProviderRef, RunKey, RunMetadata, RunQuery, RunRecord, TenantId};
use sqlx::SqliteConnection;

use crate::fault::Fault;
use crate::value::{count, moment, moment_if, text};

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
    created_at: i64,
    pruned_at: Option<i64>,
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
            created_at: moment(self.created_at)?,
            pruned_at: moment_if(self.pruned_at)?,
        })
    }
}

pub(super) async fn get_run(
    connection: &mut SqliteConnection,
    run: &RunKey,
) -> Result<Option<RunRecord>, Fault> {
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let row = sqlx::query_file_as!(RunRow, "queries/get_run.sql", tenant_id, run_id)
        .fetch_optional(connection)
        .await
        .map_err(Fault::of)?;
    row.map(|row| row.decode(&run.tenant_id)).transpose()
}

pub(super) async fn list_runs(
    connection: &mut SqliteConnection,
    query: &RunQuery,
) -> Result<Vec<RunRecord>, Fault> {
    let tenant_id = query.tenant_id.as_str();
    // No run id is empty.
    let after: &str = query.after.as_ref().map_or("", AsRef::as_ref);
    let limit = i64::from(query.limit.min(MAX_PAGE));
    let project_id: Option<&str> = query.project_id.as_ref().map(AsRef::as_ref);
    let environment_id: Option<&str> = query.environment_id.as_ref().map(AsRef::as_ref);
    let status = query.status.map(|status| status.as_str());
    let since = query.created_since.map(|moment| moment.as_micros());
    let before = query.created_before.map(|moment| moment.as_micros());
    let pruned = query.pruned;
    let rows = sqlx::query_file_as!(
        RunRow,
        "queries/list_runs.sql",
        tenant_id,
        after,
        limit,
        project_id,
        environment_id,
        status,
        since,
        before,
        pruned,
    )
    .fetch_all(connection)
    .await
    .map_err(Fault::of)?;
    rows.into_iter()
        .map(|row| row.decode(&query.tenant_id))
        .collect()
}

pub(super) async fn list_tenants(
    connection: &mut SqliteConnection,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<TenantId>, Fault> {
    // No tenant id is empty.
    let after: &str = after.map_or("", AsRef::as_ref);
    let limit = i64::from(limit.min(MAX_PAGE));
    let tenants = sqlx::query_file_scalar!("queries/list_tenants.sql", after, limit)
        .fetch_all(connection)
        .await
        .map_err(Fault::of)?;
    tenants
        .iter()
        .map(|tenant| text("tenant id", tenant))
        .collect()
}
