//! What vacuum can do, and what keeps it from doing it.

use std::time::Duration;

use sqlx::PgConnection;

use super::finding::{Check, Finding};
use crate::moment::Moment;
use crate::schema_name::SchemaName;

/// Where a session hides how long its transaction lasts, its age in transactions tells something: a busy store makes as
/// many within a minute or two.
const OLD_XIDS: i32 = 100_000;

/// Fewer dead rows are nothing.
const MANY_DEAD: i64 = 10_000;

/// Whatever holds back vacuum in this database for `long` or longer.
pub(super) async fn transactions(
    connection: &mut PgConnection,
    long: Duration,
) -> sqlx::Result<Vec<Finding>> {
    let micros = i64::try_from(long.as_micros()).unwrap_or(i64::MAX);
    let rows = sqlx::query_file!("queries/doctor_transactions.sql", micros, OLD_XIDS)
        .fetch_all(connection)
        .await?;
    let mut found: Vec<Finding> = Vec::new();
    for row in rows {
        let held = Held {
            kind: &row.kind,
            name: &row.name,
            state: row.state.as_deref(),
            pid: row.pid,
            age: row
                .micros
                .and_then(|micros| u64::try_from(micros).ok())
                .map(Duration::from_micros),
            xids: row.xids,
            pins: row.pins,
        };
        found.push(held.finding());
    }
    if found.is_empty() {
        found.push(Finding::good(
            Check::Transactions,
            format!("none is open for {} or longer", seconds(long)),
        ));
    }
    Ok(found)
}

/// One of `queries/doctor_transactions.sql`.
#[derive(Debug)]
struct Held<'a> {
    kind: &'a str,
    name: &'a str,
    state: Option<&'a str>,
    pid: Option<i32>,
    age: Option<Duration>,
    xids: Option<i32>,
    pins: bool,
}

impl Held<'_> {
    fn finding(&self) -> Finding {
        let Self { kind, name, .. } = self;
        let mut found = format!("{kind} {name}");
        if let Some(state) = self.state.filter(|state| !state.is_empty()) {
            found.push_str(&format!(" ({state})"));
        }
        match self.age {
            Some(age) => {
                found.push_str(&format!(" has been in a transaction for {}", seconds(age)));
            }
            None if *kind == "session" => {
                found.push_str(" is in a transaction; its age is hidden from this role");
            }
            None => {}
        }
        if let Some(xids) = self.xids.filter(|_| self.pins) {
            found.push_str(&format!(
                "; no row that died in the last {xids} transactions can be removed, and claims slow down"
            ));
        }
        let remedy = match (*kind, self.pid) {
            ("session", Some(pid)) => format!(
                "end it where it was begun, or SELECT pg_terminate_backend({pid}); \
                 idle_in_transaction_session_timeout keeps it from coming again"
            ),
            ("prepared transaction", _) => {
                format!(
                    "COMMIT PREPARED or ROLLBACK PREPARED '{}'",
                    name.replace('\'', "''")
                )
            }
            _ => format!(
                "let its standby catch up, or drop it: SELECT pg_drop_replication_slot('{name}')"
            ),
        };
        Finding::warning(Check::Transactions, found, remedy)
    }
}

/// The state of the tables.
pub(super) async fn tables(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> sqlx::Result<Vec<Finding>> {
    let rows = sqlx::query_file_as!(TableRow, "queries/doctor_tables.sql", schema.as_str())
        .fetch_all(connection)
        .await?;
    let mut found: Vec<_> = rows.iter().flat_map(|row| row.findings(schema)).collect();
    if found.is_empty() {
        let (dead, live) = rows.iter().fold((0, 0), |(dead, live), row| {
            (dead + row.dead, live + row.live)
        });
        found.push(Finding::good(
            Check::Tables,
            format!("{dead} dead rows beside {live} live ones, as far as the server has counted"),
        ));
    }
    Ok(found)
}

/// `queries/doctor_tables.sql`
#[derive(Debug)]
struct TableRow {
    name: String,
    live: i64,
    dead: i64,
    vacuumed_at: Option<Moment>,
    analyzed: bool,
    age: i32,
    freeze_max_age: i32,
    never_vacuumed: bool,
    is_unlogged: bool,
    hides_rows: bool,
}

impl TableRow {
    fn findings(&self, schema: &SchemaName) -> Vec<Finding> {
        let name = &self.name;
        let warning =
            |found: String, remedy: String| Finding::warning(Check::Tables, found, remedy);
        let mut found = Vec::new();
        if self.is_unlogged {
            found.push(Finding::fault(
                Check::Tables,
                format!("{name} is unlogged: a crash of the server empties it"),
                format!("ALTER TABLE {schema}.{name} SET LOGGED"),
            ));
        }
        if self.hides_rows {
            found.push(Finding::fault(
                Check::Tables,
                format!("row security is active on {name} for this role: rows that it hides are missing from logs"),
                format!("ALTER TABLE {schema}.{name} DISABLE ROW LEVEL SECURITY, or run as a role with BYPASSRLS"),
            ));
        }
        if self.never_vacuumed {
            found.push(warning(
                format!("autovacuum is switched off for {name}"),
                format!("ALTER TABLE {schema}.{name} RESET (autovacuum_enabled)"),
            ));
        }
        // Autovacuum comes at a fifth; this is what it did not get away.
        if self.dead > MANY_DEAD && self.dead > self.live / 2 {
            let last = match &self.vacuumed_at {
                Some(at) => format!("last vacuumed at {}", at.0),
                None => "never vacuumed".to_owned(),
            };
            found.push(warning(
                format!(
                    "{name} has {} dead rows beside {} live ones, {last}",
                    self.dead, self.live
                ),
                format!("VACUUM {schema}.{name}, after ending what is listed under transactions"),
            ));
        }
        if self.live > MANY_DEAD && !self.analyzed {
            found.push(warning(
                format!("{name} has {} rows and was never analyzed", self.live),
                format!("ANALYZE {schema}.{name}"),
            ));
        }
        if self.age > self.freeze_max_age.saturating_add(self.freeze_max_age / 2) {
            found.push(warning(
                format!(
                    "{name} was last frozen {} transactions ago: at two thousand million the server stops taking writes",
                    self.age
                ),
                format!("VACUUM FREEZE {schema}.{name}"),
            ));
        }
        found
    }
}

/// As a person says it.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..120 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    #[test]
    fn each_kind_that_pins_has_its_own_remedy() {
        let held = |kind, name, pid| Held {
            kind,
            name,
            state: Some("backup, idle in transaction"),
            pid,
            age: Some(Duration::from_secs(3_700)),
            xids: Some(7),
            pins: true,
        };
        let told = |held: Held<'_>| held.finding();

        let session = told(held("session", "17 of ann", Some(17)));
        assert_eq!(
            session.found,
            "session 17 of ann (backup, idle in transaction) has been in a transaction for 61 min; no row that died in \
             the last 7 transactions can be removed, and claims slow down"
        );
        assert!(session.remedy.unwrap().contains("pg_terminate_backend(17)"));
        let prepared = told(held("prepared transaction", "it's", None));
        assert!(
            prepared
                .remedy
                .unwrap()
                .contains("ROLLBACK PREPARED 'it''s'")
        );
        let slot = told(held("replication slot", "standby_1", None));
        assert!(
            slot.remedy
                .unwrap()
                .contains("pg_drop_replication_slot('standby_1')")
        );
    }

    #[test]
    fn a_transaction_that_pins_nothing_does_not_claim_to() {
        let held = Held {
            kind: "session",
            name: "17 of ann",
            state: None,
            pid: Some(17),
            age: Some(Duration::from_secs(30)),
            xids: None,
            pins: false,
        };
        assert_eq!(
            held.finding().found,
            "session 17 of ann has been in a transaction for 30.0 s"
        );
    }

    #[test]
    fn tables_are_judged_by_what_vacuum_left() {
        let row = || TableRow {
            name: "outbox".into(),
            live: 10_000,
            dead: 0,
            vacuumed_at: None,
            analyzed: true,
            age: 100,
            freeze_max_age: 200_000_000,
            never_vacuumed: false,
            is_unlogged: false,
            hides_rows: false,
        };
        let told = |row: TableRow| -> Vec<_> {
            let findings = row.findings(&SchemaName::default());
            findings
                .into_iter()
                .map(|found| (found.severity, found.remedy.unwrap()))
                .collect()
        };
        assert_eq!(told(row()), []);
        assert_eq!(
            told(TableRow {
                dead: 10_001,
                ..row()
            }),
            [(
                Severity::Warning,
                "VACUUM dvt.outbox, after ending what is listed under transactions".to_owned()
            )]
        );
        assert_eq!(
            told(TableRow {
                dead: 10_001,
                live: 1_000_000,
                ..row()
            }),
            []
        );
        assert_eq!(
            told(TableRow {
                live: 10_001,
                analyzed: false,
                ..row()
            }),
            [(Severity::Warning, "ANALYZE dvt.outbox".to_owned())]
        );
        assert_eq!(
            told(TableRow {
                age: 300_000_001,
                ..row()
            }),
            [(Severity::Warning, "VACUUM FREEZE dvt.outbox".to_owned())]
        );
        assert_eq!(
            told(TableRow {
                never_vacuumed: true,
                is_unlogged: true,
                hides_rows: true,
                ..row()
            })
            .len(),
            3
        );
    }
}
