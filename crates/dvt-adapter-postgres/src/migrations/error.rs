use std::time::Duration;

use dvt_contracts::{BoxError, ErrorClass};
use sqlx::error::DatabaseError;

use super::fault::SchemaFault;
use crate::server::ServerFault;
use crate::sqlstate::may_connect_later;

/// Why a schema is not migrated. Migrations that were reported as applied stay; the others left nothing behind, and
/// repeating the call goes on where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// There is no connection.
    #[error("cannot connect to {target}")]
    Connect {
        /// Where to, without any password.
        target: String,
        /// What the driver said.
        source: BoxError,
        /// Whether it may work later.
        class: ErrorClass,
    },
    /// The server lacks what the schema needs.
    #[error("the server is PostgreSQL {found}: expected 14 or newer")]
    ServerTooOld {
        /// Its version.
        found: String,
    },
    /// Texts could not be kept as they are.
    #[error(
        "the database keeps its texts as {found}: expected UTF8; create one with ENCODING 'UTF8'"
    )]
    Encoding {
        /// Its encoding.
        found: String,
    },
    /// Settings of the connection did not arrive.
    #[error(
        "search_path is {found:?} on a fresh connection, expected {expected:?}: a pooler in between drops connection \
         options; migrate over a direct connection"
    )]
    SearchPath {
        /// What was asked for.
        expected: String,
        /// What came.
        found: String,
    },
    /// What is there cannot be migrated.
    #[error(transparent)]
    Schema(#[from] SchemaFault),
    /// Another process is migrating.
    #[error(
        "another process{} has been migrating schema {schema} for {} s: wait for it, or see in pg_stat_activity what it \
         does", process(.holder), .waited.as_secs()
    )]
    Locked {
        /// The schema.
        schema: String,
        /// How long it was waited for.
        waited: Duration,
        /// The server process of its session, if that could be seen.
        holder: Option<i32>,
    },
    /// The server takes no writes: a standby, or a database that is set to read only.
    #[error("{doing} failed: the server is read-only; migrate on the primary")]
    ReadOnly {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
    },
    /// The role may not do that.
    #[error(
        "{doing} failed: the role lacks a privilege; migrate as the owner of the schema, or have an administrator run the \
         output of dvt migrate --dump-sql"
    )]
    Privilege {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
    },
    /// Others use the tables.
    #[error("{doing} failed: others hold locks that it needs; try again, at a quieter time")]
    Busy {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
    },
    /// Something else has a name that DVT needs.
    #[error(
        "{doing} failed: the schema holds something of that name that is not DVT's; give DVT a schema of its own"
    )]
    Occupied {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
    },
    /// The connection broke. Whether the migration is applied is not known; the next call sees.
    #[error("{doing} was interrupted: the connection broke; run the migration again")]
    Interrupted {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
    },
    /// Anything else.
    #[error("{doing} failed")]
    Failed {
        /// What was being done.
        doing: String,
        /// What the driver said.
        source: BoxError,
        /// Whether it may work later.
        class: ErrorClass,
    },
}

impl MigrateError {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Connect { class, .. } | Self::Failed { class, .. } => *class,
            Self::Locked { .. } | Self::Busy { .. } => ErrorClass::Transient,
            Self::Interrupted { .. } => ErrorClass::Unknown,
            _ => ErrorClass::Caller,
        }
    }

    /// No connection: `target` is shown, so it has no password.
    pub(super) fn connect(target: String, error: sqlx::Error) -> Self {
        let class = match error.as_database_error().map(code).as_deref() {
            // Starting, stopping, or full.
            Some(code) if code.starts_with("57P") || code.starts_with("53") => {
                ErrorClass::Transient
            }
            Some(_) => ErrorClass::Caller,
            None if may_connect_later(&error) => ErrorClass::Transient,
            None => ErrorClass::Caller,
        };
        Self::Connect {
            target,
            source: error.into(),
            class,
        }
    }

    /// A failed statement, told by its SQLSTATE.
    pub(super) fn statement(doing: impl Into<String>, error: sqlx::Error) -> Self {
        let doing = doing.into();
        let code = error.as_database_error().map(code);
        let is_broken = matches!(
            error,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)
        );
        let source = error.into();
        match code.as_deref() {
            None if is_broken => Self::Interrupted { doing, source },
            Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03") => {
                Self::Interrupted { doing, source }
            }
            Some(code) if code.starts_with("08") => Self::Interrupted { doing, source },
            Some("25006") => Self::ReadOnly { doing, source },
            Some("42501") => Self::Privilege { doing, source },
            Some("55P03" | "57014" | "40P01" | "40001") => Self::Busy { doing, source },
            // Table, schema, constraint or trigger, function, column; a name that is no table.
            Some("42P07" | "42P06" | "42710" | "42723" | "42701" | "42809") => {
                Self::Occupied { doing, source }
            }
            Some(code) if code.starts_with("53") => Self::Failed {
                doing,
                source,
                class: ErrorClass::Transient,
            },
            _ => Self::Failed {
                doing,
                source,
                class: ErrorClass::Bug,
            },
        }
    }
}

impl From<ServerFault> for MigrateError {
    fn from(fault: ServerFault) -> Self {
        match fault {
            ServerFault::TooOld { found } => Self::ServerTooOld { found },
            ServerFault::Encoding { found } => Self::Encoding { found },
            ServerFault::SearchPath { expected, found } => Self::SearchPath { expected, found },
        }
    }
}

fn code(error: &dyn DatabaseError) -> String {
    error.code().unwrap_or_default().into_owned()
}

fn process(holder: &Option<i32>) -> String {
    holder
        .map(|pid| format!(" (server process {pid})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_leaves_the_outcome_open() {
        let error = MigrateError::statement(
            "migration 0001",
            sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into()),
        );
        assert_eq!(error.class(), ErrorClass::Unknown);
        assert_eq!(
            error.to_string(),
            "migration 0001 was interrupted: the connection broke; run the migration again"
        );
    }

    #[test]
    fn who_holds_the_lock_is_told_if_it_is_known() {
        let locked = |holder| MigrateError::Locked {
            schema: "dvt".into(),
            waited: Duration::from_secs(60),
            holder,
        };
        assert!(locked(Some(7)).to_string().starts_with(
            "another process (server process 7) has been migrating schema dvt for 60 s"
        ));
        assert!(
            locked(None)
                .to_string()
                .starts_with("another process has been")
        );
        assert_eq!(locked(None).class(), ErrorClass::Transient);
    }
}
