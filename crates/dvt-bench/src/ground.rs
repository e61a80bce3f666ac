use std::collections::BTreeMap;
use std::str::FromStr as _;

use dvt_adapter_postgres::{PostgresSettings, PostgresStore, migrate};
use dvt_contracts::{BootstrapRequest, RunKey, RunStateStore as _};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};

use crate::BoxError;
use crate::event::metadata;

/// The tables of the baselines: the columns and indexes of ours, and an outbox row for each event.
const BASELINES: &str = "
    CREATE TABLE raw_events (LIKE run_events INCLUDING ALL);
    CREATE TABLE raw_outbox (
        tenant_id text COLLATE \"C\" NOT NULL, run_id text COLLATE \"C\" NOT NULL, run_seq bigint NOT NULL, due_at timestamptz,
        PRIMARY KEY (tenant_id, run_id, run_seq)
    );
    CREATE INDEX raw_outbox_due_at ON raw_outbox (due_at) WHERE due_at IS NOT NULL;
";

/// A schema of ours, with the tables of the baselines in it.
#[derive(Debug)]
pub(crate) struct Ground {
    url: String,
    schema: String,
    settings: PostgresSettings,
    options: PgConnectOptions,
}

impl Ground {
    /// Makes a schema of its own in the database, named after this process.
    pub(crate) async fn new(url: &str, name: &str) -> Result<Self, BoxError> {
        let ground = Self::of(url, &format!("bench_{name}_{}", std::process::id()))?;
        migrate(&ground.settings, &mut |_| ()).await?;
        ground.connect().await?.execute(BASELINES).await?;
        Ok(ground)
    }

    /// A schema that is there.
    pub(crate) fn of(url: &str, schema: &str) -> Result<Self, BoxError> {
        let options = PgConnectOptions::from_str(url)?.options([("search_path", schema)]);
        Ok(Self {
            url: url.to_owned(),
            schema: schema.to_owned(),
            settings: PostgresSettings::from_url(url)?.with_schema(schema.parse()?),
            options,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// A connection for a baseline.
    pub(crate) async fn connect(&self) -> Result<PgConnection, BoxError> {
        Ok(self.options.connect().await?)
    }

    /// Our store, with so many connections.
    pub(crate) async fn store(&self, connections: u32) -> Result<PostgresStore, BoxError> {
        let settings = self.settings.clone().with_max_connections(connections)?;
        Ok(PostgresStore::connect(settings).await?)
    }

    /// Makes a run in our store.
    pub(crate) async fn bootstrap(
        &self,
        store: &PostgresStore,
        run: &RunKey,
    ) -> Result<(), BoxError> {
        let request = BootstrapRequest {
            run: run.clone(),
            metadata: metadata()?,
            events: Vec::new(),
        };
        store.bootstrap_run(&request).await?;
        Ok(())
    }

    /// Fails unless all events of a table are there, numbered without a gap in each run.
    pub(crate) async fn expect(&self, table: Table, expected: u64) -> Result<(), BoxError> {
        let sql = match table {
            Table::Ours => {
                "SELECT coalesce(sum(count), 0)::bigint, coalesce(bool_and(count = last), true) FROM \
                 (SELECT count(*) AS count, max(run_seq) AS last FROM run_events GROUP BY tenant_id, run_id) AS runs"
            }
            Table::Raw => {
                "SELECT coalesce(sum(count), 0)::bigint, coalesce(bool_and(count = last), true) FROM \
                 (SELECT count(*) AS count, max(run_seq) AS last FROM raw_events GROUP BY tenant_id, run_id) AS runs"
            }
        };
        let row = self.connect().await?.fetch_one(sql).await?;
        let (found, dense): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
        if u64::try_from(found)? != expected || !dense {
            return Err(format!(
                "{table:?}: {found} events found, expected {expected} without a gap"
            )
            .into());
        }
        Ok(())
    }

    /// Takes everything away, so that each group begins on empty tables.
    pub(crate) async fn empty(&self) -> Result<(), BoxError> {
        let mut connection = self.connect().await?;
        // Ours refuse it, unless they are told to let go.
        connection
            .execute(
                "ALTER TABLE run_events DISABLE TRIGGER run_events_append_only; \
                 TRUNCATE run_events, outbox, outbox_dead_letters, outbox_destination, run_checkpoints, run_metadata, raw_events, raw_outbox; \
                 ALTER TABLE run_events ENABLE TRIGGER run_events_append_only",
            )
            .await?;
        Ok(())
    }

    /// What the figures were taken on. Refuses a server that may lose what it acknowledged.
    pub(crate) async fn environment(&self) -> Result<BTreeMap<&'static str, String>, BoxError> {
        let mut connection = self.connect().await?;
        let row = connection
            .fetch_one(
                "SELECT current_setting('fsync'), current_setting('synchronous_commit'), version(), current_setting('shared_buffers')",
            )
            .await?;
        let (fsync, commit): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if fsync != "on" || commit != "on" {
            return Err(format!(
                "fsync is {fsync} and synchronous_commit is {commit}: both must be on"
            )
            .into());
        }
        let cores = std::thread::available_parallelism()?;
        Ok(BTreeMap::from([
            ("server", row.try_get(2)?),
            ("shared_buffers", row.try_get(3)?),
            ("fsync", fsync),
            ("synchronous_commit", commit),
            ("cores", cores.to_string()),
            (
                "build",
                if cfg!(debug_assertions) {
                    "debug"
                } else {
                    "release"
                }
                .to_owned(),
            ),
        ]))
    }
}

/// Which events to look at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Ours,
    Raw,
}
