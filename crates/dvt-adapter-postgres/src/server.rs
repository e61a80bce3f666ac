use sqlx::{Executor as _, PgConnection, Row as _};

/// What matters of a server, as a connection sees it.
#[derive(Debug)]
pub(crate) struct Server {
    number: i32,
    version: String,
    encoding: String,
    search_path: String,
}

/// Why a store cannot work over a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServerFault {
    #[error("the server is PostgreSQL {found}: expected 14 or newer")]
    TooOld { found: String },
    #[error(
        "the database keeps its texts as {found}: expected UTF8; create one with ENCODING 'UTF8'"
    )]
    Encoding { found: String },
    #[error(
        "the search_path is {found}, not {expected} as the connection asked for, so a pooler is in between that drops what \
         connections ask for, as in transaction mode: connect to the server itself, or to a pooler in session mode that \
         passes startup parameters on"
    )]
    SearchPath { expected: String, found: String },
}

impl Server {
    pub(crate) async fn ask(connection: &mut PgConnection) -> sqlx::Result<Self> {
        // The simple protocol: behind a pooler that shares sessions a prepared statement is somebody else's, or nobody's.
        let row = connection
            .fetch_one(sqlx::raw_sql(
                "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
                 current_setting('server_encoding'), current_setting('search_path')",
            ))
            .await?;
        Ok(Self {
            number: row.try_get(0)?,
            version: row.try_get(1)?,
            encoding: row.try_get(2)?,
            search_path: row.try_get(3)?,
        })
    }

    /// Whether a store can work over the connection, which asked for this `search_path`.
    pub(crate) fn check(self, search_path: &str) -> Result<(), ServerFault> {
        if self.number < 140_000 {
            return Err(ServerFault::TooOld {
                found: self.version,
            });
        }
        if self.encoding != "UTF8" {
            return Err(ServerFault::Encoding {
                found: self.encoding,
            });
        }
        if self.search_path != search_path {
            return Err(ServerFault::SearchPath {
                expected: search_path.to_owned(),
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
            pooled.contains("connect to the server itself, or to a pooler in session mode"),
            "{pooled}"
        );
    }
}
