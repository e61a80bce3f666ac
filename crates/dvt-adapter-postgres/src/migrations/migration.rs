use std::fmt;

/// The migrations as the driver wants them.
static EMBEDDED: sqlx::migrate::Migrator = sqlx::migrate!();

/// One step of the schema, part of this binary. Once released, a migration never changes.
#[derive(Clone, Copy)]
pub struct Migration(&'static sqlx::migrate::Migration);

impl Migration {
    /// All migrations of this binary, in the order in which they are applied.
    #[must_use]
    pub fn embedded() -> Vec<Self> {
        EMBEDDED
            .migrations
            .iter()
            .filter(|migration| migration.migration_type.is_up_migration())
            .map(Self)
            .collect()
    }

    /// Its number; they rise.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.0.version
    }

    /// What it does, in a few words.
    #[must_use]
    pub fn description(&self) -> &'static str {
        &self.0.description
    }

    /// The SHA-384 digest of its SQL without carriage returns, as `schema_migrations` keeps it.
    #[must_use]
    pub fn checksum(&self) -> &'static [u8] {
        &self.0.checksum
    }

    /// Its SQL. Names are unqualified: it is meant for a connection whose `search_path` begins with the schema.
    #[must_use]
    pub fn sql(&self) -> &'static str {
        self.0.sql.as_str()
    }

    /// For the driver.
    pub(super) fn inner(&self) -> &'static sqlx::migrate::Migration {
        self.0
    }
}

/// `0001 create run metadata`
impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04} {}", self.version(), self.description())
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Migration({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_runs_in_a_transaction_and_their_numbers_rise() {
        let all = Migration::embedded();
        assert!(!all.is_empty());
        assert_eq!(all.len(), EMBEDDED.migrations.len(), "none leads back");
        for (at, migration) in all.iter().enumerate() {
            assert!(!migration.inner().no_tx, "{migration}");
            assert_eq!(migration.version(), at as i64 + 1, "{migration}");
            // The text that is run is the text that the digest was made of, as long as there is nothing to leave out.
            assert!(!migration.sql().contains('\r'), "{migration}");
        }
    }

    #[test]
    fn no_migration_ends_its_transaction_or_names_a_schema() {
        for migration in Migration::embedded() {
            for line in migration.sql().lines() {
                let word = line.split([' ', ';']).next().unwrap_or_default();
                let ends = ["COMMIT", "ROLLBACK", "END;", "ABORT", "VACUUM"].contains(&word);
                assert!(!ends, "{migration}: {line}");
                assert!(!line.contains("CONCURRENTLY"), "{migration}: {line}");
                assert!(!line.contains("dvt."), "{migration}: {line}");
            }
        }
    }
}
