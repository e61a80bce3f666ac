use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::error::MigrateError;
use crate::server::Server;
use crate::settings::PostgresSettings;

/// Milliseconds are enough for a goodbye; the server notices a closed socket without one.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection of its own for migrations, never one of a pool: it holds a lock for as long as it lives, so it must not
/// live on in somebody else's hands.
#[derive(Debug)]
pub(super) struct Session {
    /// The connection.
    pub(super) conn: PgConnection,
}

impl Session {
    /// Connects, and refuses a server on which the schema could not work.
    pub(super) async fn open(settings: &PostgresSettings) -> Result<Self, MigrateError> {
        let options = settings.migration_options();
        let connected = match tokio::time::timeout(settings.deadline(), options.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
        };
        let conn = connected.map_err(|error| MigrateError::connect(settings.to_string(), error))?;
        let mut session = Self { conn };
        let server = Server::ask(&mut session.conn)
            .await
            .map_err(|error| MigrateError::statement("asking the server for its version", error))?;
        server.check(&settings.search_path())?;
        Ok(session)
    }

    /// Says goodbye, so that the server ends the session now and not when it next looks.
    pub(super) async fn close(self) {
        // Whatever goes wrong here, the socket is closed and the work is done.
        let _ = tokio::time::timeout(GOODBYE, self.conn.close()).await;
    }
}
