use dvt_contracts::{ProviderRef, RunKey, RunRecord};
use serde::Serialize;

/// A run as `--json` tells it. The names are part of the command's interface.
#[derive(Debug, Serialize)]
pub(crate) struct RunObject {
    tenant_id: String,
    run_id: String,
    project_id: String,
    environment_id: String,
    plan_id: String,
    plan_version: String,
    status: &'static str,
    head: u64,
    delivered_seq: u64,
    created_at: String,
    pruned_at: Option<String>,
    provider_ref: Option<ProviderObject>,
}

/// Where a run's provider knows it, with the names that `dvt record` reads.
#[derive(Debug, Serialize)]
struct ProviderObject {
    provider: String,
    namespace: Option<String>,
    workflow_id: String,
    run_id: Option<String>,
}

impl From<RunRecord> for RunObject {
    fn from(record: RunRecord) -> Self {
        let RunKey { tenant_id, run_id } = record.run;
        Self {
            tenant_id: tenant_id.into(),
            run_id: run_id.into(),
            project_id: record.metadata.project_id.into(),
            environment_id: record.metadata.environment_id.into(),
            plan_id: record.metadata.plan_id.into(),
            plan_version: record.metadata.plan_version.into(),
            status: record.status.as_str(),
            head: record.head,
            delivered_seq: record.delivered_seq,
            created_at: record.created_at.to_string(),
            pruned_at: record.pruned_at.map(|at| at.to_string()),
            provider_ref: record.provider_ref.as_ref().map(ProviderObject::from),
        }
    }
}

impl From<&ProviderRef> for ProviderObject {
    fn from(provider: &ProviderRef) -> Self {
        Self {
            provider: provider.provider().to_owned(),
            namespace: provider.namespace().map(str::to_owned),
            workflow_id: provider.workflow_id().to_owned(),
            run_id: provider.run_id().map(str::to_owned),
        }
    }
}
