use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::error::MigrateError;
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
        let server = session.server().await?;
        server.check(&settings.search_path())?;
        Ok(session)
    }

    async fn server(&mut self) -> Result<Server, MigrateError> {
        let (number, version, encoding, search_path) = sqlx::query_as(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
             current_setting('server_encoding'), current_setting('search_path')",
        )
        .fetch_one(&mut self.conn)
        .await
        .map_err(|error| MigrateError::statement("asking the server for its version", error))?;
        Ok(Server {
            number,
            version,
            encoding,
            search_path,
        })
    }

    /// Says goodbye, so that the server ends the session now and not when it next looks.
    pub(super) async fn close(self) {
        // Whatever goes wrong here, the socket is closed and the work is done.
        let _ = tokio::time::timeout(GOODBYE, self.conn.close()).await;
    }
}

/// What matters of a server.
#[derive(Debug)]
struct Server {
    number: i32,
    version: String,
    encoding: String,
    search_path: String,
}

impl Server {
    fn check(self, search_path: &str) -> Result<(), MigrateError> {
        if self.number < 140_000 {
            return Err(MigrateError::ServerTooOld {
                found: self.version,
            });
        }
        if self.encoding != "UTF8" {
            return Err(MigrateError::Encoding {
                found: self.encoding,
            });
        }
        if self.search_path != search_path {
            let expected = search_path.to_owned();
            return Err(MigrateError::SearchPath {
                expected,
                found: self.search_path,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: i32, version: &str, encoding: &str, search_path: &str) -> String {
        let server = Server {
            number,
            version: version.to_owned(),
            encoding: encoding.to_owned(),
            search_path: search_path.to_owned(),
        };
        server
            .check("dvt, pg_temp")
            .map_or_else(|error| error.to_string(), |()| "good".to_owned())
    }

    #[test]
    fn servers_that_cannot_work_are_refused_with_the_remedy() {
        assert_eq!(told(140_000, "14.0", "UTF8", "dvt, pg_temp"), "good");
        assert_eq!(told(180_004, "18.4", "UTF8", "dvt, pg_temp"), "good");
        assert_eq!(
            told(130_021, "13.21 (Debian)", "UTF8", "dvt, pg_temp"),
            "the server is PostgreSQL 13.21 (Debian): expected 14 or newer"
        );
        assert_eq!(
            told(150_018, "15.18", "SQL_ASCII", "dvt, pg_temp"),
            "the database keeps its texts as SQL_ASCII: expected UTF8; create one with ENCODING 'UTF8'"
        );
        let pooled = told(150_018, "15.18", "UTF8", "\"$user\", public");
        assert!(
            pooled.ends_with("migrate over a direct connection"),
            "{pooled}"
        );
    }
}
