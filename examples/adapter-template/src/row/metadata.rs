use dvt_contracts::{
    EnvironmentId, PlanId, PlanVersion, ProjectId, RunId, RunKey, RunMetadata, TenantId,
};
use serde::{Deserialize, Serialize};

/// A [`RunKey`]. (`remote` lets serde write a type of another crate whose fields are public.)
#[derive(Serialize, Deserialize)]
#[serde(remote = "RunKey")]
pub(crate) struct KeyRow {
    tenant_id: TenantId,
    run_id: RunId,
}

/// A [`RunMetadata`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "RunMetadata")]
pub(crate) struct MetadataRow {
    project_id: ProjectId,
    environment_id: EnvironmentId,
    plan_id: PlanId,
    plan_version: PlanVersion,
}
