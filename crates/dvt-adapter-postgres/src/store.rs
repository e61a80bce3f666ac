use std::sync::Arc;

use dvt_contracts::{AppendError, AppendOutcome, AppendRequest, StoreError};
use sqlx::{Postgres, Transaction};

use crate::append::Doubt;
use crate::connect_error::ConnectError;
use crate::database::Database;
use crate::fault::Fault;
use crate::floor::Floor;
use crate::hints::{HintListener, HintSender};
use crate::in_transaction;
use crate::settings::PostgresSettings;

/// A run-state store on PostgreSQL. Clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    database: Database,
    doubt: Arc<Doubt>,
    floor: Arc<Floor>,
    hints: Option<Arc<HintSender>>,
}

impl PostgresStore {
    /// Opens the store: connects once, and checks that the schema is there and up to date.
    ///
    /// # Errors
    /// [`ConnectError`] says what is missing. Nothing is written.
    pub async fn connect(settings: PostgresSettings) -> Result<Self, ConnectError> {
        let database = Database::new(settings)?;
        database.check_schema().await?;
        let hints = database.settings().hints();
        Ok(Self {
            hints: hints.then(|| HintSender::new(database.clone())),
            database,
            doubt: Arc::default(),
            floor: Arc::default(),
        })
    }

    /// Appends within the caller's own transaction, so that these events and the caller's rows commit together or not at
    /// all.
    ///
    /// The runs stay locked until the transaction ends, and every call that names one of them waits so long: keep it short, and name all runs of a transaction in one call, or
    /// in the order of their keys. The transaction's settings are put back before the reply, its `search_path` among them.
    /// After an error, or if the future was dropped, the transaction must be rolled back.
    ///
    /// # Errors
    /// As [`append_batch`](dvt_contracts::RunStateStore::append_batch). `Transient` means: roll the transaction back and do
    /// it again, all of it. Under REPEATABLE READ and SERIALIZABLE that is the answer whenever another writer was faster.
    pub async fn append_in(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        requests: &[AppendRequest],
    ) -> Result<Vec<Result<AppendOutcome, AppendError>>, StoreError> {
        AppendRequest::check_call(requests)?;
        let appended = in_transaction::append_in(&self.database, transaction, requests).await;
        appended.map_err(|fault: Fault| fault.store("append_in"))
    }

    /// Hints that there is work, after the commit of a transaction with [`append_in`](Self::append_in); all other appends do
    /// so by themselves. Waits for nothing, and does nothing unless the settings ask for hints.
    pub fn hint(&self) {
        if let Some(hints) = &self.hints {
            hints.hint();
        }
    }

    /// Hears the hints of all writers to this store, over a connection of its own.
    #[must_use]
    pub fn hint_listener(&self) -> HintListener {
        HintListener::new(self.database.settings().clone())
    }

    /// Closes the connections; statements that are under way end first. Every later one is refused.
    pub fn close(&self) {
        self.database.close();
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    pub(crate) fn floor(&self) -> &Floor {
        &self.floor
    }
}
