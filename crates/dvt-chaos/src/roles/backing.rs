use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dvt_adapter_postgres::{ClockShift, PostgresSettings, PostgresStore};
use dvt_adapter_sqlite::{SqliteSettings, SqliteStore};
use dvt_contracts::Store;

use crate::BoxError;

/// A client gives an operation up after this time.
const DEADLINE: Duration = Duration::from_secs(4);
/// The server does so earlier.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);
/// A process that cannot open its store by then ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a campaign's store is kept in.
#[derive(Debug, Clone)]
pub(crate) enum Backing {
    /// A database. The URL has a password and is not to be shown.
    Postgres { url: Url },
    /// A file.
    Sqlite { file: PathBuf },
}

/// A URL that is not shown.
#[derive(Clone)]
pub(crate) struct Url(pub(crate) String);

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Url(…)")
    }
}

impl Url {
    /// The one in `DATABASE_URL`: arguments are for everybody to see.
    pub(crate) fn from_environment() -> Result<Self, BoxError> {
        let url = std::env::var("DATABASE_URL").map_err(|_| "DATABASE_URL is not set")?;
        Ok(Self(url))
    }
}

impl Backing {
    pub(crate) fn settings(url: &str) -> Result<PostgresSettings, BoxError> {
        Ok(PostgresSettings::from_url(url)?.with_timeouts(DEADLINE, STATEMENT_TIMEOUT)?)
    }

    /// Opens the store as soon as that is possible.
    pub(crate) async fn open(&self, connections: u32) -> Result<Arc<dyn Store>, BoxError> {
        self.open_ahead(connections, 0).await
    }

    /// The same with a clock that is so many seconds ahead of the store's.
    pub(crate) async fn open_ahead(
        &self,
        connections: u32,
        seconds: i64,
    ) -> Result<Arc<dyn Store>, BoxError> {
        let begun = tokio::time::Instant::now();
        loop {
            match self.try_open(connections, seconds).await {
                Err(_) if begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await
                }
                opened => return opened,
            }
        }
    }

    async fn try_open(&self, connections: u32, seconds: i64) -> Result<Arc<dyn Store>, BoxError> {
        match self {
            Self::Postgres { url } => {
                let shift = ClockShift::default();
                shift.advance(seconds);
                let settings = Self::settings(&url.0)?
                    .with_max_connections(connections)?
                    .with_clock_shift(shift);
                Ok(Arc::new(PostgresStore::connect(settings).await?))
            }
            Self::Sqlite { file } => Ok(Arc::new(
                SqliteStore::open(SqliteSettings::new(file)).await?,
            )),
        }
    }
}
