use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::fault::Fault;
use crate::migrations;
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
        let found: (Option<String>, String, i32) = sqlx::query_as(
            "SELECT current_schema()::text, current_setting('server_encoding'), \
             current_setting('server_version_num')::int",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(|source| self.unreachable(source))?;
        let (schema, encoding, version) = found;
        let unfit = |reason: String| {
            Err(Fault::Unfit {
                place: self.place(),
                reason,
            })
        };
        let expected = self.settings.schema().as_str();
        if version < 140_000 {
            return unfit(format!(
                "the server is PostgreSQL {}, 14 or newer is needed",
                version / 10_000
            ));
        }
        if encoding != "UTF8" {
            return unfit(format!(
                "the database's encoding is {encoding}, create one with UTF8"
            ));
        }
        if schema.as_deref() != Some(expected) {
            let name = self.settings.schema();
            let there = migrations::check(connection, name).await;
            there.map_err(|source| self.unreachable(source))??;
            return unfit(
                "it is not the search_path that was asked for: connect to the server itself, or to a pooler in session mode"
                    .to_owned(),
            );
        }
        Ok(())
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
