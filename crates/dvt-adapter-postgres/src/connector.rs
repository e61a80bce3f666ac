use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::fault::Fault;
use crate::server::Server;
use crate::settings::PostgresSettings;

/// A connection that was idle for longer is asked whether it is alive; a busy one never is.
const IDLE: Duration = Duration::from_secs(30);

/// Makes connections that are fit for the store's statements.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) settings: PostgresSettings,
}

impl Connector {
    fn place(&self) -> String {
        self.settings.to_string()
    }

    fn unreachable(&self, source: sqlx::Error) -> Fault {
        Fault::Connect {
            place: self.place(),
            source,
        }
    }

    async fn check(&self, connection: &mut PgConnection) -> Result<(), Fault> {
        let server = Server::ask(connection).await;
        let server = server.map_err(|source| self.unreachable(source))?;
        Ok(server.check(&self.settings.search_path())?)
    }
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = Fault;

    async fn create(&self) -> Result<PgConnection, Fault> {
        let options = self.settings.store_options();
        let connected = options.connect().await;
        let mut connection = connected.map_err(|source| self.unreachable(source))?;
        self.check(&mut connection).await?;
        Ok(connection)
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<Fault> {
        if metrics.last_used() < IDLE {
            return Ok(());
        }
        let alive = connection.ping().await;
        alive.map_err(|error| Fault::of(error, false).into())
    }
}
