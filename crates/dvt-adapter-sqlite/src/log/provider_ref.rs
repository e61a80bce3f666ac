use dvt_contracts::{ProviderRef, RunKey, StoreError};
use sqlx::SqliteConnection;

use super::live_head;
use crate::fault::Fault;

pub(super) async fn save(
    connection: &mut SqliteConnection,
    run: &RunKey,
    provider_ref: &ProviderRef,
) -> Result<Result<(), StoreError>, Fault> {
    if let Err(refusal) = live_head(connection, run).await? {
        return Ok(Err(refusal));
    }
    let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
    let provider = provider_ref.provider();
    let namespace = provider_ref.namespace();
    let workflow_id = provider_ref.workflow_id();
    let provider_run_id = provider_ref.run_id();
    sqlx::query_file!(
        "queries/save_provider_ref.sql",
        tenant_id,
        run_id,
        provider,
        namespace,
        workflow_id,
        provider_run_id,
    )
    .execute(connection)
    .await
    .map_err(Fault::of)?;
    Ok(Ok(()))
}
