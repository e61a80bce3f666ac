use std::str::FromStr as _;
use std::sync::Arc;

use dvt_contracts::RunKey;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::query::Query;
use sqlx::{Executor as _, Postgres};
use tokio::sync::Mutex;

use crate::BoxError;
use crate::roles::Backing;

/// The database, past the store.
#[derive(Debug, Clone)]
pub(super) struct Past(Arc<Mutex<PgConnection>>);

impl Past {
    pub(super) async fn new(backing: &Backing) -> Result<Self, BoxError> {
        let Backing::Postgres { url } = backing else {
            return Err("bugs are planted on PostgreSQL".into());
        };
        let options = PgConnectOptions::from_str(&url.0)?.application_name("planted");
        Ok(Self(Arc::new(Mutex::new(options.connect().await?))))
    }

    /// Does it. What fails is no bug, and is not told.
    pub(super) async fn execute(&self, sql: &'static str) {
        let _ = self.0.lock().await.execute(sql).await;
    }

    /// The same with the run as the first two parameters, and a number as the third.
    pub(super) async fn on_run(&self, sql: &'static str, run: &RunKey, number: u64) -> Option<u64> {
        let query: Query<'_, Postgres, PgArguments> = sqlx::query(sql)
            .bind(run.tenant_id.as_str())
            .bind(run.run_id.as_str())
            .bind(i64::try_from(number).ok()?);
        let done = query.execute(&mut *self.0.lock().await).await.ok()?;
        Some(done.rows_affected())
    }
}
