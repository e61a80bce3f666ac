use dvt_contracts::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::fault::SchemaFault;
use super::migration::Migration;
use crate::schema_name::SchemaName;

/// What a database says about the migrations of one schema.
#[derive(Debug)]
pub(super) struct Ledger {
    schema: SchemaName,
    schema_exists: bool,
    rows: Vec<Applied>,
}

/// A row of `schema_migrations`.
#[derive(Debug, Clone)]
struct Applied {
    version: i64,
    checksum: Vec<u8>,
    success: bool,
    at: Timestamp,
}

const LOOK: &str = "
SELECT
    n.oid IS NOT NULL AS schema_exists,
    coalesce(has_schema_privilege(n.oid, 'USAGE'), true) AS usable,
    c.oid IS NOT NULL AS table_exists,
    coalesce(has_table_privilege(c.oid, 'SELECT'), true) AS readable
FROM (SELECT $1::text AS name) AS wanted
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = wanted.name
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'schema_migrations'
";

const READ: &str = "
SELECT
    version,
    checksum,
    success,
    CASE WHEN isfinite(installed_on) THEN (extract(epoch FROM installed_on) * 1000000)::bigint ELSE 0 END AS at
FROM schema_migrations
ORDER BY version
";

impl Ledger {
    /// Reads it; changes nothing and needs nothing but USAGE and SELECT. The outer error: there was no answer.
    pub(super) async fn read(
        conn: &mut PgConnection,
        schema: &SchemaName,
    ) -> Result<Result<Self, SchemaFault>, sqlx::Error> {
        let look = sqlx::query(LOOK)
            .bind(schema.as_str())
            .fetch_one(&mut *conn)
            .await?;
        let seen = |name| look.try_get::<bool, _>(name);
        let schema_exists = seen("schema_exists")?;
        if !seen("usable")? || !seen("readable")? {
            return Ok(Err(SchemaFault::Unreadable {
                schema: schema.to_string(),
            }));
        }
        let mut ledger = Self {
            schema: schema.clone(),
            schema_exists,
            rows: Vec::new(),
        };
        if !seen("table_exists")? {
            return Ok(Ok(ledger));
        }
        match sqlx::query(READ).fetch_all(conn).await {
            Ok(rows) => {
                ledger.rows = rows.iter().map(applied).collect::<Result<_, _>>()?;
                Ok(Ok(ledger))
            }
            Err(error) if is_another_table(&error) => Ok(Err(SchemaFault::Foreign {
                schema: schema.to_string(),
            })),
            Err(error) => Err(error),
        }
    }

    /// Whether the schema itself is there.
    pub(super) fn schema_exists(&self) -> bool {
        self.schema_exists
    }

    /// When a migration was applied, if it was.
    pub(super) fn applied_at(&self, migration: &Migration) -> Option<Timestamp> {
        let row = self
            .rows
            .iter()
            .find(|row| row.version == migration.version());
        row.map(|row| row.at)
    }

    /// The migrations of this binary that are not applied, in order; a fault if they cannot go on from what is there.
    pub(super) fn pending(&self) -> Result<Vec<Migration>, SchemaFault> {
        self.judge(&Migration::embedded())
    }

    fn judge(&self, embedded: &[Migration]) -> Result<Vec<Migration>, SchemaFault> {
        let schema = || self.schema.to_string();
        if let Some(row) = self.rows.iter().find(|row| !row.success) {
            let version = row.version;
            return Err(SchemaFault::Dirty {
                schema: schema(),
                version,
            });
        }
        self.check_known(embedded)?;
        let (mut pending, mut latest) = (Vec::new(), None);
        for migration in embedded {
            match self
                .rows
                .iter()
                .find(|row| row.version == migration.version())
            {
                Some(row) if row.checksum != migration.checksum() => {
                    let migration = migration.to_string();
                    return Err(SchemaFault::Edited {
                        schema: schema(),
                        migration,
                    });
                }
                Some(row) => latest = Some(row.version),
                None => pending.push(*migration),
            }
        }
        match (pending.first(), latest) {
            (Some(missing), Some(latest)) if missing.version() < latest => {
                let missing = missing.to_string();
                Err(SchemaFault::Gap {
                    schema: schema(),
                    missing,
                    latest,
                })
            }
            _ => Ok(pending),
        }
    }

    fn check_known(&self, embedded: &[Migration]) -> Result<(), SchemaFault> {
        let last = embedded.iter().map(Migration::version).max().unwrap_or(0);
        let is_known = |version| {
            embedded
                .iter()
                .any(|migration| migration.version() == version)
        };
        let strangers = self
            .rows
            .iter()
            .map(|row| row.version)
            .filter(|version| !is_known(*version));
        let (ahead, unknown): (Vec<_>, Vec<_>) = strangers.partition(|version| *version > last);
        let schema = self.schema.to_string();
        // The later ones first: they explain the others too.
        if !ahead.is_empty() {
            Err(SchemaFault::Ahead {
                schema,
                versions: ahead,
            })
        } else if !unknown.is_empty() {
            Err(SchemaFault::Unknown {
                schema,
                versions: unknown,
            })
        } else {
            Ok(())
        }
    }
}

fn applied(row: &sqlx::postgres::PgRow) -> Result<Applied, sqlx::Error> {
    Ok(Applied {
        version: row.try_get("version")?,
        checksum: row.try_get("checksum")?,
        success: row.try_get("success")?,
        at: Timestamp::from_micros(row.try_get::<i64, _>("at")?).unwrap_or(Timestamp::MIN),
    })
}

/// Undefined column, undefined function (for a column of another type), datatype mismatch.
fn is_another_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("42703" | "42883" | "42804" | "42846"))
}

/// For tests: what a database might say.
#[cfg(test)]
pub(super) fn told(schema_exists: bool, rows: &[(i64, &[u8], bool)]) -> Ledger {
    let applied = |(version, checksum, success): &(i64, &[u8], bool)| Applied {
        version: *version,
        checksum: checksum.to_vec(),
        success: *success,
        at: Timestamp::MIN,
    };
    Ledger {
        schema: SchemaName::default(),
        schema_exists,
        rows: rows.iter().map(applied).collect(),
    }
}

/// For tests: the row of a migration of this binary.
#[cfg(test)]
pub(super) fn good(version: usize) -> (i64, &'static [u8], bool) {
    let migration = Migration::embedded()[version - 1];
    (migration.version(), migration.checksum(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_applied_is_pending_in_order() {
        let all = Migration::embedded();
        let pending = |rows: &[_]| -> Vec<i64> {
            let pending = told(true, rows).pending().unwrap();
            pending.iter().map(Migration::version).collect()
        };
        let versions: Vec<i64> = all.iter().map(Migration::version).collect();
        assert_eq!(pending(&[]), versions);
        assert_eq!(pending(&[good(1), good(2)]), versions[2..]);
        let rows: Vec<_> = (1..=all.len()).map(good).collect();
        assert_eq!(pending(&rows), Vec::<i64>::new());
    }

    #[test]
    fn a_history_that_is_not_ours_is_refused_with_what_differs() {
        let last = Migration::embedded().len();
        let table: [(&[_], &str); 6] = [
            (
                &[good(1), (2, b"other", true)],
                "migration 0002 create run events is not what was applied to schema dvt",
            ),
            (
                &[good(1), (9_998, b"", true), (9_999, b"", true)],
                "newer than this binary, which does not know 9998, 9999",
            ),
            (
                &[(0, b"", true), good(1)],
                "has the migrations 0000, which this binary lacks",
            ),
            (
                &[good(1), good(3)],
                "has migration 3 but not 0002 create run events before it",
            ),
            (&[good(last)], "but not 0001 create run metadata before it"),
            (
                &[good(1), (2, b"", false)],
                "migration 2 is recorded as not successful",
            ),
        ];
        for (rows, part) in table {
            let message = told(true, rows).pending().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
