use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::clock_shift::ClockShift;
use crate::schema_name::SchemaName;

/// How to reach a store on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    options: PgConnectOptions,
    schema: SchemaName,
    max_connections: u32,
    deadline: Duration,
    clock_shift: ClockShift,
}

/// Settings that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(String);

impl PostgresSettings {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`InvalidSettings`]
    pub fn from_url(url: &str) -> Result<Self, InvalidSettings> {
        Ok(Self {
            options: url.parse().map_err(|error: sqlx::Error| InvalidSettings(error.to_string()))?,
            schema: SchemaName::default(),
            max_connections: 8,
            deadline: Duration::from_secs(10),
            clock_shift: ClockShift::default(),
        })
    }

    /// Another schema.
    #[must_use]
    pub fn with_schema(self, schema: SchemaName) -> Self {
        Self { schema, ..self }
    }

    /// Another size of the pool.
    #[must_use]
    pub fn with_max_connections(self, max_connections: u32) -> Self {
        Self { max_connections, ..self }
    }

    /// A clock that tests move.
    #[must_use]
    pub fn with_clock_shift(self, clock_shift: ClockShift) -> Self {
        Self { clock_shift, ..self }
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaName {
        &self.schema
    }

    pub(crate) fn max_connections(&self) -> u32 {
        self.max_connections
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(crate) fn clock_shift(&self) -> &ClockShift {
        &self.clock_shift
    }

    /// For the connections that serve the ports.
    pub(crate) fn store_options(&self) -> PgConnectOptions {
        self.options.clone().options([
            ("search_path", format!("{},pg_temp", self.schema)),
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            ("enable_bitmapscan", "off".to_owned()),
            ("jit", "off".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", "5s".to_owned()),
            ("idle_in_transaction_session_timeout", "10s".to_owned()),
        ])
    }
}

impl std::fmt::Display for PostgresSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.options.get_host(), self.options.get_port())
    }
}
