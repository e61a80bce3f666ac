//! What a database is like as the place of a store.

use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::connect_error::ConnectError;
use crate::fault::Fault;
use crate::settings::PostgresSettings;

mod connection;
mod finding;
mod schema_check;
mod server_check;
mod upkeep;

pub use self::finding::{Check, Finding, Severity};
use self::schema_check::SchemaCheck;
use self::server_check::ServerRow;

/// Looks at a database as the place of a store, and changes nothing there.
#[derive(Debug, Clone)]
pub struct Doctor {
    settings: PostgresSettings,
    long_transaction: Duration,
}

impl Doctor {
    /// For the store that these settings reach, seen by the role that they name.
    #[must_use]
    pub fn new(settings: PostgresSettings) -> Self {
        Self {
            settings,
            // No call of a store lasts longer than its deadline.
            long_transaction: Duration::from_secs(10),
        }
    }

    /// From which age on a transaction is told: 10 s unless told otherwise.
    #[must_use]
    pub fn with_long_transaction(self, long_transaction: Duration) -> Self {
        Self {
            long_transaction,
            ..self
        }
    }

    /// Looks at everything, with two connections of its own: one finding or more for each [`Check`], in their order. Without
    /// a schema those about its content are left out; behind a pooler that shares sessions, all but that.
    ///
    /// A check that the server refuses is a warning, and the others go on.
    ///
    /// # Errors
    /// [`ConnectError`] if there is no connection, or it broke.
    pub async fn examine(&self) -> Result<Vec<Finding>, ConnectError> {
        let deadline = self.settings.deadline();
        let mut first = self.connect().await?;
        let mut second = self.connect().await?;
        // Every statement is bounded by the server; this is for a server that falls silent.
        let examined = tokio::time::timeout(deadline * 3, self.look(&mut first, &mut second)).await;
        let findings = match examined {
            Ok(examined) => examined?,
            Err(_) => {
                return Err(Fault::Unanswered {
                    after: deadline * 3,
                    writes: false,
                }
                .into());
            }
        };
        for connection in [first, second] {
            // Whatever goes wrong here, the socket is closed and the work is done.
            let _ = tokio::time::timeout(Duration::from_secs(2), connection.close()).await;
        }
        Ok(findings)
    }

    async fn connect(&self) -> Result<PgConnection, Fault> {
        let options = self.settings.store_options();
        let connected = tokio::time::timeout(self.settings.deadline(), options.connect()).await;
        let connected =
            connected.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
        connected.map_err(|source| Fault::Connect {
            place: self.settings.to_string(),
            source,
        })
    }

    async fn look(
        &self,
        first: &mut PgConnection,
        second: &mut PgConnection,
    ) -> Result<Vec<Finding>, Fault> {
        let schema = self.settings.schema();
        let lost = |error| Fault::of(error, false);
        let search_path = self.settings.search_path();
        let pooler = connection::pooler(first, second, &search_path).await;
        let pooler = pooler.map_err(lost)?;
        if pooler.severity == Severity::Fault {
            // What others' sessions answer says nothing about ours.
            return Ok(vec![pooler]);
        }
        let server = ServerRow::ask(first).await.map_err(lost)?;
        let mut report = Report::default();
        report.findings.extend(server.server());
        report.findings.extend(server.settings());
        report.findings.push(pooler);
        report
            .findings
            .push(connection::tls(&server, &self.settings));
        report.add(Check::Clock, connection::clock(first).await)?;
        let pool = self.settings.max_connections();
        report.findings.push(server.connections(pool));
        let check = SchemaCheck {
            schema,
            server: &server,
        };
        report.add(Check::Migrations, check.migrations(first).await)?;
        if check.exists(first).await.map_err(lost)? {
            report.add(Check::Privileges, check.privileges(first).await)?;
            report.add(Check::Indexes, check.indexes(first).await)?;
            report.add(Check::Triggers, check.triggers(first).await)?;
        }
        let long = self.long_transaction;
        report.add(Check::Transactions, upkeep::transactions(first, long).await)?;
        if report
            .findings
            .iter()
            .any(|found| found.check == Check::Privileges)
        {
            report.add(Check::Tables, upkeep::tables(first, schema).await)?;
        }
        Ok(report.findings)
    }
}

#[derive(Debug, Default)]
struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// What a check found. If the server refused to tell, that is a finding; a connection that broke ends the examination.
    fn add(&mut self, check: Check, found: sqlx::Result<Vec<Finding>>) -> Result<(), Fault> {
        match found {
            Ok(found) => self.findings.extend(found),
            Err(sqlx::Error::Database(error)) => self.findings.push(Finding::warning(
                check,
                format!("cannot be examined: {error}"),
                "run dvt doctor as a role that may look at it, such as a member of pg_monitor",
            )),
            Err(error) => return Err(Fault::of(error, false)),
        }
        Ok(())
    }
}
