use std::fmt;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::clock_shift::ClockShift;
use crate::schema_name::SchemaName;

mod invalid;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub use self::invalid::InvalidSettings;
use self::tls::Peer;
pub(crate) use self::tls::Protection;

/// How to reach a store on PostgreSQL, and how to behave there.
///
/// Neither `Debug` nor `Display` shows a password, wherever it came from.
#[derive(Clone)]
pub struct PostgresSettings {
    options: PgConnectOptions,
    schema: SchemaName,
    max_connections: u32,
    deadline: Duration,
    statement_timeout: Duration,
    migration_wait: Duration,
    clock_shift: ClockShift,
    hints: bool,
}

impl PostgresSettings {
    /// Reads a URL such as `postgres://user@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem`.
    ///
    /// What it leaves out comes from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGSSLMODE`,
    /// `PGSSLROOTCERT` and the other variables of that family, and the password at last from the password file
    /// (`PGPASSFILE`, `~/.pgpass`). The other settings begin with: schema `dvt`, 8 connections, 10 s and 5 s
    /// ([`PostgresSettings::with_timeouts`]), application name `dvt`.
    ///
    /// A connection to another machine is protected by `sslmode=verify-full` unless `require` or `verify-ca` is asked
    /// for; `require` with an `sslrootcert` means `verify-ca`, as it does for libpq. Local are Unix-domain sockets,
    /// `localhost`, 127.0.0.0/8 and `::1`; on a socket `sslmode` means nothing.
    ///
    /// # Errors
    /// [`InvalidSettings`], among others for a parameter that is not known and for `sslmode=disable`, `allow` or
    /// `prefer` to a host that is not local.
    pub fn from_url(url: &str) -> Result<Self, InvalidSettings> {
        Self::read(url, false)
    }

    /// The same for a network that is safe by itself: an explicit `sslmode=disable`, `allow` or `prefer` is taken for
    /// any host. Without one the connection is still protected.
    ///
    /// # Errors
    /// [`InvalidSettings`]
    pub fn from_url_allowing_plaintext(url: &str) -> Result<Self, InvalidSettings> {
        Self::read(url, true)
    }

    fn read(url: &str, plaintext: bool) -> Result<Self, InvalidSettings> {
        let options = self::url::options(url, &self::url::Environment::of_process(), plaintext)?;
        Ok(Self {
            options,
            schema: SchemaName::default(),
            max_connections: 8,
            deadline: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(5),
            migration_wait: Duration::from_secs(60),
            clock_shift: ClockShift::default(),
            hints: false,
        })
    }

    /// Another schema.
    #[must_use]
    pub fn with_schema(self, schema: SchemaName) -> Self {
        Self { schema, ..self }
    }

    /// Another size of the pool: 1 to 1,000 connections.
    ///
    /// # Errors
    /// [`InvalidSettings::MaxConnections`]
    pub fn with_max_connections(self, max_connections: u32) -> Result<Self, InvalidSettings> {
        match max_connections {
            1..=1_000 => Ok(Self {
                max_connections,
                ..self
            }),
            found => Err(InvalidSettings::MaxConnections { found }),
        }
    }

    /// Other limits for one operation: the client's deadline and, below it, the server's `statement_timeout`.
    ///
    /// The server's is definite: nothing happened. After the client's nobody knows.
    ///
    /// # Errors
    /// [`InvalidSettings::Timeouts`] unless 1 ms ≤ `statement_timeout` < `deadline`, both in whole milliseconds.
    pub fn with_timeouts(
        self,
        deadline: Duration,
        statement_timeout: Duration,
    ) -> Result<Self, InvalidSettings> {
        let (deadline_ms, statement_timeout_ms) =
            (deadline.as_millis(), statement_timeout.as_millis());
        // PostgreSQL counts them in 32 bits.
        if 1 <= statement_timeout_ms
            && statement_timeout_ms < deadline_ms
            && i32::try_from(statement_timeout_ms).is_ok()
        {
            Ok(Self {
                deadline,
                statement_timeout,
                ..self
            })
        } else {
            Err(InvalidSettings::Timeouts {
                deadline_ms,
                statement_timeout_ms,
            })
        }
    }

    /// How long [`migrate`](crate::migrate) waits for another process that is migrating the same schema: 60 s
    /// unless told otherwise.
    #[must_use]
    pub fn with_migration_wait(self, migration_wait: Duration) -> Self {
        Self {
            migration_wait,
            ..self
        }
    }

    /// Whether the store hints at what it appended, so that a [`HintListener`](crate::HintListener) need not wait for its
    /// next look: it does not unless told so.
    ///
    /// A hint is a statement of its own (`NOTIFY` on the channel `dvt_<schema>`), sent in the background over a connection
    /// of the pool after the append was committed. Many appends share one: two are at least 5 ms apart.
    #[must_use]
    pub fn with_hints(self, hints: bool) -> Self {
        Self { hints, ..self }
    }

    /// A clock that tests move.
    #[must_use]
    pub fn with_clock_shift(self, clock_shift: ClockShift) -> Self {
        Self {
            clock_shift,
            ..self
        }
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

    pub(crate) fn migration_wait(&self) -> Duration {
        self.migration_wait
    }

    pub(crate) fn clock_shift(&self) -> &ClockShift {
        &self.clock_shift
    }

    pub(crate) fn hints(&self) -> bool {
        self.hints
    }

    /// The `search_path` of every connection, as `SHOW` tells it.
    pub(crate) fn search_path(&self) -> String {
        format!("{}, pg_temp", self.schema)
    }

    /// For the connections that serve the ports. What is fixed here wins over the URL's `options`, `PGOPTIONS` and
    /// whatever the database or the role sets.
    pub(crate) fn store_options(&self) -> PgConnectOptions {
        let statement_timeout = self.statement_timeout.as_millis();
        self.named("dvt").options([
            ("search_path", self.search_path()),
            // A service that starts on empty tables would keep the plans for empty tables.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            ("enable_seqscan", "off".to_owned()),
            // A bitmap has no order: a claim would read all that is due and sort it.
            ("enable_bitmapscan", "off".to_owned()),
            // Of two indexes that seem equal before anybody has counted, the one in the order that is asked for.
            ("enable_sort", "off".to_owned()),
            ("jit", "off".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", format!("{statement_timeout}ms")),
            // Below the statement's, so that waiting for a lock is told apart from working.
            (
                "lock_timeout",
                format!("{}ms", (statement_timeout * 4 / 5).max(1)),
            ),
            ("idle_in_transaction_session_timeout", "10s".to_owned()),
        ])
    }

    /// A connection as the store's own are, for the tests of what they are.
    ///
    /// # Errors
    /// What the driver says.
    #[doc(hidden)]
    pub async fn store_connection(&self) -> Result<PgConnection, sqlx::Error> {
        self.store_options().connect().await
    }

    /// For the one connection that listens for hints. It is idle for as long as nothing happens.
    pub(crate) fn listening_options(&self) -> PgConnectOptions {
        self.named("dvt-hints").options([
            ("search_path", self.search_path()),
            ("idle_session_timeout", "0".to_owned()),
        ])
    }

    /// For the one connection that migrates: a migration may take its time, but not while others wait for it.
    pub(crate) fn migration_options(&self) -> PgConnectOptions {
        self.named("dvt-migrate").options([
            ("search_path", self.search_path()),
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", "0".to_owned()),
            ("lock_timeout", "4s".to_owned()),
            ("idle_in_transaction_session_timeout", "60s".to_owned()),
        ])
    }

    /// A name that the URL or the environment gives stays.
    fn named(&self, application_name: &str) -> PgConnectOptions {
        match self.options.get_application_name() {
            Some(_) => self.options.clone(),
            None => self.options.clone().application_name(application_name),
        }
    }

    /// How well the connections are protected.
    pub(crate) fn protection(&self) -> Protection {
        let peer = match self.options.get_socket() {
            Some(_) => Peer::Socket,
            None => Peer::of(self.options.get_host()),
        };
        Protection::of(peer, self.options.get_ssl_mode())
    }

    fn place(&self) -> String {
        match self.options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None if self.options.get_host().contains(':') => {
                format!("[{}]", self.options.get_host())
            }
            None => self.options.get_host().to_owned(),
        }
    }
}

/// `user@host:port/database, schema dvt, sslmode verify-full`
impl fmt::Display for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, port) = (self.options.get_username(), self.options.get_port());
        let database = self.options.get_database().unwrap_or(user);
        let mode = tls::name(self.options.get_ssl_mode());
        let (place, schema) = (self.place(), &self.schema);
        write!(
            f,
            "{user}@{place}:{port}/{database}, schema {schema}, sslmode {mode}"
        )
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("target", &self.to_string())
            .field("max_connections", &self.max_connections)
            .field("deadline", &self.deadline)
            .field("statement_timeout", &self.statement_timeout)
            .field("migration_wait", &self.migration_wait)
            .field("clock_shift", &self.clock_shift)
            .field("hints", &self.hints)
            .finish_non_exhaustive()
    }
}
