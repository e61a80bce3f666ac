/// Why a schema cannot be used, or not be migrated. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaFault {
    /// There is no such schema.
    #[error(
        "there is no schema {schema} in this database: create it with dvt migrate, or name another one (DVT_PG_SCHEMA)"
    )]
    Missing {
        /// Its name.
        schema: String,
    },
    /// The role lacks the privileges to look.
    #[error(
        "the role may not read schema {schema}: grant it USAGE on the schema and SELECT on its table schema_migrations"
    )]
    Unreadable {
        /// Its name.
        schema: String,
    },
    /// The table `schema_migrations` is not of the form that DVT makes: another tool uses that name.
    #[error(
        "the table schema_migrations in schema {schema} belongs to another tool: give DVT a schema of its own"
    )]
    Foreign {
        /// Its name.
        schema: String,
    },
    /// Migrations of this binary are not applied.
    #[error("schema {schema} is older than this binary, it lacks {}: run dvt migrate", .pending.join(", "))]
    Behind {
        /// Its name.
        schema: String,
        /// The missing migrations, by number and description.
        pending: Vec<String>,
    },
    /// Migrations are applied that come after all that this binary has.
    #[error("schema {schema} is newer than this binary, which does not know {}: use a newer binary", list(.versions))]
    Ahead {
        /// Its name.
        schema: String,
        /// Their numbers.
        versions: Vec<i64>,
    },
    /// Migrations are applied, among those of this binary, that it does not have.
    #[error(
        "schema {schema} has the migrations {}, which this binary lacks although it has later ones: it was migrated by a \
         binary of another origin; use that one", list(.versions)
    )]
    Unknown {
        /// Its name.
        schema: String,
        /// Their numbers.
        versions: Vec<i64>,
    },
    /// A migration is not the one that was applied.
    #[error(
        "migration {migration} is not what was applied to schema {schema}: their checksums differ; use the binary that \
         migrated the schema, or put the migration's text back, since a released migration never changes"
    )]
    Edited {
        /// Its name.
        schema: String,
        /// The migration, by number and description.
        migration: String,
    },
    /// A migration is not applied although a later one is.
    #[error(
        "schema {schema} has migration {latest} but not {missing} before it: a row of schema_migrations was removed, or \
         the schema was migrated by a binary of another origin; restore it before migrating"
    )]
    Gap {
        /// Its name.
        schema: String,
        /// The missing migration, by number and description.
        missing: String,
        /// The number of the latest one that is applied.
        latest: i64,
    },
    /// A migration is recorded as failed.
    #[error(
        "migration {version} is recorded as not successful in schema {schema}: no DVT binary does that; find out who \
         did, repair the schema, and set success to true or remove the row"
    )]
    Dirty {
        /// Its name.
        schema: String,
        /// Its number.
        version: i64,
    },
}

fn list(versions: &[i64]) -> String {
    let texts: Vec<_> = versions
        .iter()
        .map(|version| format!("{version:04}"))
        .collect();
    texts.join(", ")
}
