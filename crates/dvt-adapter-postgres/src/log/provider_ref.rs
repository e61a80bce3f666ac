use dvt_contracts::{ProviderRef, RunKey, StoreError};
use sqlx::PgConnection;

use crate::database::Database;
use crate::moment::Moment;
use crate::statement::Statement;

/// `queries/save_provider_ref.sql`
struct SaveProviderRef<'a> {
    run: &'a RunKey,
    provider_ref: &'a ProviderRef,
}

struct HeadRow {
    pruned_at: Option<Moment>,
}

impl Statement for SaveProviderRef<'_> {
    const WRITES: bool = true;
    type Reply = Option<HeadRow>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            HeadRow,
            "queries/save_provider_ref.sql",
            self.run.tenant_id.as_str(),
            self.run.run_id.as_str(),
            self.provider_ref.provider(),
            self.provider_ref.namespace(),
            self.provider_ref.workflow_id(),
            self.provider_ref.run_id(),
        )
        .fetch_optional(connection)
        .await
    }
}

pub(super) async fn save_provider_ref(
    database: &Database,
    run: &RunKey,
    provider_ref: &ProviderRef,
) -> Result<(), StoreError> {
    let statement = SaveProviderRef { run, provider_ref };
    let head = database.ask(&database.call(), &statement).await;
    match head.map_err(|fault| fault.store("save_provider_ref"))? {
        None => Err(StoreError::RunNotFound { run: run.clone() }),
        Some(HeadRow {
            pruned_at: Some(pruned_at),
        }) => Err(StoreError::RunPruned {
            run: run.clone(),
            pruned_at: pruned_at.0,
        }),
        Some(_) => Ok(()),
    }
}
