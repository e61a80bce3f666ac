use dvt_contracts::Timestamp;

use crate::connect_error::ConnectError;
use crate::database::Database;
use crate::settings::SqliteSettings;

/// A run-state store in one SQLite file. Clones share its connections.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Database,
}

impl SqliteStore {
    /// Opens the store: looks whether the file, if it is there, is one of ours that this version can use.
    ///
    /// A missing file counts as an empty store, and the first write makes it, unless the settings forbid that.
    ///
    /// # Errors
    /// [`ConnectError`] says what is wrong. Nothing is written.
    pub async fn open(settings: SqliteSettings) -> Result<Self, ConnectError> {
        let database = Database::new(settings)?;
        database.read().await?.end(Ok(())).await?;
        Ok(Self { database })
    }

    /// Closes the connections that are not in use, and the others when they are given back. Every later call is refused.
    ///
    /// When the last connection of the last process is closed, everything is in the one file. Without this they are closed in
    /// the background, and a process that ends first leaves `FILE-wal` and `FILE-shm` beside it: they belong to it, and the
    /// next connection takes them in.
    pub async fn close(&self) {
        self.database.close().await;
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The store's clock.
    pub(crate) fn now(&self) -> Timestamp {
        let shift = self.database.settings().clock_shift().micros();
        let micros = i128::from(Timestamp::now().as_micros()) + i128::from(shift);
        let latest = Timestamp::MAX.as_micros();
        Timestamp::from_micros(micros.clamp(0, i128::from(latest))).unwrap_or(Timestamp::MAX)
    }
}
