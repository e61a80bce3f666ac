use deadpool::Runtime;
use deadpool::managed::{Pool, PoolError, TimeoutType};
use sqlx::Connection as _;

use crate::connector::Connector;
use crate::fault::Fault;
use crate::session::Session;
use crate::settings::SqliteSettings;

/// How many may read at once.
const READERS: usize = 4;

/// The connections: one that writes, some that read.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    writer: Pool<Connector>,
    readers: Pool<Connector>,
}

impl Database {
    pub(crate) fn new(settings: SqliteSettings) -> Result<Self, Fault> {
        Ok(Self {
            readers: pool(settings.clone(), false)?,
            writer: pool(settings, true)?,
        })
    }

    pub(crate) fn settings(&self) -> &SqliteSettings {
        &self.writer.manager().settings
    }

    /// Begins to read: everything until its end is seen as of one moment.
    pub(crate) async fn read(&self) -> Result<Session, Fault> {
        Session::begin(self.link(&self.readers).await?, "BEGIN").await
    }

    /// Begins to write: nobody else writes until its end.
    pub(crate) async fn write(&self) -> Result<Session, Fault> {
        Session::begin(self.link(&self.writer).await?, "BEGIN IMMEDIATE").await
    }

    /// Closes what is idle now, and refuses everything from now on.
    pub(crate) async fn close(&self) {
        // The writer last: with the last connection the side files go.
        for pool in [&self.readers, &self.writer] {
            let idle = pool.retain(|_, _| false).removed;
            pool.close();
            for link in idle {
                // What was written is written; only tidying up could have failed.
                let _ = link.connection.close().await;
            }
        }
    }

    async fn link(
        &self,
        pool: &Pool<Connector>,
    ) -> Result<deadpool::managed::Object<Connector>, Fault> {
        pool.get().await.map_err(|error| match error {
            PoolError::Backend(fault) => fault,
            PoolError::Closed => Fault::Closed,
            PoolError::Timeout(TimeoutType::Wait) => Fault::NoTurn {
                after: 2 * self.settings().patience(),
            },
            // The pool has no other limits and no hooks.
            other => Fault::corrupt("pool", other),
        })
    }
}

fn pool(settings: SqliteSettings, writes: bool) -> Result<Pool<Connector>, Fault> {
    let patience = 2 * settings.patience();
    Pool::builder(Connector { settings, writes })
        .max_size(if writes { 1 } else { READERS })
        .wait_timeout(Some(patience))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| Fault::corrupt("pool", error))
}
