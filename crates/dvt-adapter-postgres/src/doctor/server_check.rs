//! The server itself, its settings, and the room that it has.

use sqlx::PgConnection;

use super::finding::{Check, Finding};

/// `queries/doctor_server.sql`
#[derive(Debug, Clone)]
pub(super) struct ServerRow {
    version_number: i32,
    version: String,
    encoding: String,
    in_recovery: bool,
    read_only: bool,
    fsync: bool,
    full_page_writes: bool,
    synchronous_commit: String,
    has_standbys: bool,
    autovacuum: bool,
    track_counts: bool,
    connections: i32,
    connected: i64,
    /// As SQL spells it.
    pub(super) role: String,
    pub(super) is_superuser: bool,
    pub(super) tls_version: Option<String>,
}

impl ServerRow {
    pub(super) async fn ask(connection: &mut PgConnection) -> sqlx::Result<Self> {
        sqlx::query_file_as!(Self, "queries/doctor_server.sql")
            .fetch_one(connection)
            .await
    }

    pub(super) fn server(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let version = &self.version;
        if self.version_number < 140_000 {
            found.push(Finding::fault(
                Check::Server,
                format!("PostgreSQL {version}"),
                "use PostgreSQL 14 or newer",
            ));
        }
        if self.encoding != "UTF8" {
            found.push(Finding::fault(
                Check::Server,
                format!("the database keeps its texts as {}", self.encoding),
                "move the store to a database created with ENCODING 'UTF8'",
            ));
        }
        if self.in_recovery {
            found.push(Finding::fault(
                Check::Server,
                "a standby, which takes no writes",
                "connect to the primary",
            ));
        } else if self.read_only {
            found.push(Finding::fault(
                Check::Server,
                "transactions are read-only, so every write is refused",
                format!(
                    "ALTER ROLE {} RESET default_transaction_read_only, or the same for the database",
                    self.role
                ),
            ));
        }
        if found.is_empty() {
            found.push(Finding::good(
                Check::Server,
                format!("PostgreSQL {version}, a primary, UTF8"),
            ));
        }
        found
    }

    pub(super) fn settings(&self) -> Vec<Finding> {
        let check = Check::Settings;
        let mut found = Vec::new();
        if !self.fsync {
            found.push(Finding::fault(
                check,
                "fsync is off: a crash of the machine can lose acknowledged appends and damage the database",
                "set fsync = on in postgresql.conf, and reload",
            ));
        }
        if !self.full_page_writes {
            found.push(Finding::warning(
                check,
                "full_page_writes is off: a crash of the machine can damage pages",
                "set full_page_writes = on, unless the file system writes whole pages",
            ));
        }
        match self.synchronous_commit.as_str() {
            "off" => found.push(Finding::fault(
                check,
                "synchronous_commit is off: a crash of the server can lose acknowledged appends",
                format!("ALTER ROLE {} SET synchronous_commit = on", self.role),
            )),
            "local" if self.has_standbys => found.push(Finding::warning(
                check,
                "synchronous_commit is local: appends are acknowledged before a synchronous standby has them, \
                 so that a failover can lose them",
                format!("ALTER ROLE {} SET synchronous_commit = on", self.role),
            )),
            _ => {}
        }
        if !self.autovacuum || !self.track_counts {
            found.push(Finding::warning(
                check,
                "autovacuum does not run: dead rows of the outbox pile up, and claims slow down",
                "set autovacuum = on and track_counts = on in postgresql.conf, and reload",
            ));
        }
        if found.is_empty() {
            let commit = &self.synchronous_commit;
            found.push(Finding::good(
                check,
                format!(
                    "fsync on, full_page_writes on, synchronous_commit {commit}, autovacuum on"
                ),
            ));
        }
        found
    }

    /// A pool may open `pool` more.
    pub(super) fn connections(&self, pool: u32) -> Finding {
        let (connected, room) = (self.connected, i64::from(self.connections));
        let found =
            format!("{connected} of {room} are in use; this program's pool may open {pool}");
        if room - connected < i64::from(pool) {
            return Finding::warning(
                Check::Connections,
                found,
                "raise max_connections, make pools smaller, or end sessions that idle",
            );
        }
        Finding::good(Check::Connections, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    fn row() -> ServerRow {
        ServerRow {
            version_number: 150_020,
            version: "15.20".into(),
            encoding: "UTF8".into(),
            in_recovery: false,
            read_only: false,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".into(),
            has_standbys: false,
            autovacuum: true,
            track_counts: true,
            connections: 97,
            connected: 4,
            role: "dvt_app".into(),
            is_superuser: false,
            tls_version: None,
        }
    }

    fn told(findings: &[Finding]) -> Vec<(Severity, &str)> {
        findings
            .iter()
            .map(|finding| (finding.severity, finding.found.as_str()))
            .collect()
    }

    #[test]
    fn a_good_server_is_one_line_each() {
        assert_eq!(
            told(&row().server()),
            [(Severity::Good, "PostgreSQL 15.20, a primary, UTF8")]
        );
        assert_eq!(
            told(&row().settings()),
            [(
                Severity::Good,
                "fsync on, full_page_writes on, synchronous_commit on, autovacuum on"
            )]
        );
    }

    #[test]
    fn each_setting_that_breaks_a_promise_is_a_fault() {
        let bad = ServerRow {
            fsync: false,
            full_page_writes: false,
            synchronous_commit: "off".into(),
            autovacuum: false,
            ..row()
        };
        let severities: Vec<_> = bad.settings().iter().map(|found| found.severity).collect();
        assert_eq!(
            severities,
            [
                Severity::Fault,
                Severity::Warning,
                Severity::Fault,
                Severity::Warning
            ]
        );
        let local = |has_standbys| ServerRow {
            synchronous_commit: "local".into(),
            has_standbys,
            ..row()
        };
        assert_eq!(local(false).settings()[0].severity, Severity::Good);
        assert_eq!(local(true).settings()[0].severity, Severity::Warning);
    }

    #[test]
    fn a_server_that_takes_no_writes_is_a_fault() {
        let bad = |bad: ServerRow| bad.server()[0].severity;
        assert_eq!(
            bad(ServerRow {
                version_number: 130_021,
                ..row()
            }),
            Severity::Fault
        );
        assert_eq!(
            bad(ServerRow {
                encoding: "LATIN1".into(),
                ..row()
            }),
            Severity::Fault
        );
        assert_eq!(
            bad(ServerRow {
                in_recovery: true,
                read_only: true,
                ..row()
            }),
            Severity::Fault
        );
        let read_only = ServerRow {
            read_only: true,
            ..row()
        };
        assert_eq!(
            read_only.server()[0].remedy.as_deref(),
            Some(
                "ALTER ROLE dvt_app RESET default_transaction_read_only, or the same for the database"
            )
        );
    }

    #[test]
    fn a_pool_needs_room() {
        assert_eq!(row().connections(93).severity, Severity::Good);
        assert_eq!(row().connections(94).severity, Severity::Warning);
    }
}
