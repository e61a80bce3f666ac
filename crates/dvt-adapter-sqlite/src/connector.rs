use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::time::sleep;

use crate::fault::Fault;
use crate::file;
use crate::link::Link;
use crate::migrations;
use crate::settings::SqliteSettings;

/// How often the change to WAL is tried: SQLite does not wait for others there.
const WAL_ATTEMPTS: u32 = 100;
const WAL_PAUSE: Duration = Duration::from_millis(20);

/// Makes connections that are fit for the store's statements.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) settings: SqliteSettings,
    pub(crate) writes: bool,
}

impl Connector {
    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .busy_timeout(self.settings.patience())
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            // More than there are.
            .statement_cache_capacity(64)
            // Rows are collected anyway; a small buffer would let the thread that reads them wait for the one that collects.
            .row_buffer_size(4_096)
    }

    async fn open(&self, options: SqliteConnectOptions) -> Result<SqliteConnection, Fault> {
        let connection = options.filename(self.settings.file()).connect().await;
        connection.map_err(|error| Fault::of_opening(self.settings.file().to_owned(), error))
    }

    /// Whether this is a store of ours; an empty file may become one.
    async fn identify(&self, connection: &mut SqliteConnection) -> Result<bool, Fault> {
        let file = || self.settings.file().to_owned();
        let owner = migrations::owner(connection).await;
        match owner.map_err(|error| Fault::of_opening(file(), error))? {
            migrations::Owner::Nobody => Ok(false),
            migrations::Owner::Dvt => Ok(true),
            migrations::Owner::Other(found) => Err(Fault::Foreign {
                file: file(),
                found,
            }),
        }
    }

    async fn writer(&self) -> Result<Link, Fault> {
        if file::identity(self.settings.file())?.is_none() && !self.settings.create() {
            return Err(self.missing());
        }
        let options = self.options().create_if_missing(self.settings.create());
        let mut connection = self.open(options).await?;
        self.identify(&mut connection).await?;
        share(&mut connection).await?;
        migrations::migrate(&mut connection, self.settings.file()).await?;
        Ok(Link {
            connection,
            file: file::identity(self.settings.file())?,
        })
    }

    async fn reader(&self) -> Result<Link, Fault> {
        let Some(identity) = file::identity(self.settings.file())? else {
            return self.stand_in().await;
        };
        let options = self.options().pragma("query_only", "ON");
        let mut connection = self.open(options).await?;
        if !self.identify(&mut connection).await? {
            return self.stand_in().await;
        }
        migrations::check(&mut connection, self.settings.file()).await?;
        Ok(Link {
            connection,
            file: Some(identity),
        })
    }

    /// An empty store for reads while there is no file.
    async fn stand_in(&self) -> Result<Link, Fault> {
        if !self.settings.create() {
            return Err(self.missing());
        }
        let connection = self.options().filename(":memory:").connect().await;
        let mut connection = connection.map_err(Fault::of)?;
        migrations::migrate(&mut connection, self.settings.file()).await?;
        Ok(Link {
            connection,
            file: None,
        })
    }

    fn missing(&self) -> Fault {
        Fault::Missing {
            file: self.settings.file().to_owned(),
        }
    }
}

/// Lets many read while one writes.
async fn share(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let mut attempt = 0;
    loop {
        let changed = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL")
            .fetch_one(&mut *connection)
            .await;
        match changed.map_err(Fault::of) {
            Ok(_) => return Ok(()),
            Err(Fault::Busy(_)) if attempt < WAL_ATTEMPTS => {
                attempt += 1;
                sleep(WAL_PAUSE).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}

impl Manager for Connector {
    type Type = Link;
    type Error = Fault;

    async fn create(&self) -> Result<Link, Fault> {
        file::check_folder(self.settings.file())?;
        match self.writes {
            true => self.writer().await,
            false => self.reader().await,
        }
    }

    /// A connection to a file that was removed or replaced would write where nobody looks.
    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<Fault> {
        match file::identity(self.settings.file()) {
            Ok(found) if found == link.file => Ok(()),
            Ok(_) => Err(RecycleError::message("another file is in its place")),
            Err(fault) => Err(RecycleError::Backend(fault)),
        }
    }
}
