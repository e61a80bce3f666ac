//! A store that reaches its server through a proxy.

use std::time::Duration;

use dvt_adapter_postgres::{ClockShift, PostgresSettings, PostgresStore};
use dvt_chaos::proxy::{Control, Proxy};
use url::Url;

use crate::server::{TestSchema, connect, random_name, url};
use crate::stage::{
    assert_consistent, migrated, named, number, open, until, without_waiting_for_disks,
};

/// The schema goes with it.
pub(crate) struct Proxied {
    /// Reaches the server without the proxy.
    pub(crate) direct: PostgresStore,
    /// Reaches it through the proxy.
    pub(crate) store: PostgresStore,
    pub(crate) control: Control,
    pub(crate) schema: TestSchema,
    /// The clock of both stores.
    pub(crate) clock: ClockShift,
    settings: PostgresSettings,
    connections: u32,
    name: String,
    _proxy: Proxy,
}

impl Proxied {
    /// A store with so many connections. Its commits do not wait for the disk.
    pub(crate) async fn open(connections: u32) -> Self {
        Self::with(connections, |settings| settings).await
    }

    /// The same with other settings.
    pub(crate) async fn with(
        connections: u32,
        change: impl FnOnce(PostgresSettings) -> PostgresSettings,
    ) -> Self {
        let (schema, name) = (migrated().await, random_name());
        let proxy = Proxy::before(&url()).await.unwrap();
        let mut through: Url = proxy.url(&url()).unwrap().parse().unwrap();
        named(&mut through, &name);
        without_waiting_for_disks(&mut through);
        let clock = ClockShift::default();
        let settings = |url: &str| {
            let settings = schema.settings_by(url).with_clock_shift(clock.clone());
            settings.with_max_connections(connections).unwrap()
        };
        let direct = open(settings(&url())).await;
        let settings = change(settings(through.as_str()));
        Self {
            direct,
            store: open(settings.clone()).await,
            settings,
            control: proxy.control(),
            schema,
            clock,
            connections,
            name,
            _proxy: proxy,
        }
    }

    /// Another store through the proxy.
    pub(crate) async fn another(&self) -> PostgresStore {
        open(self.settings.clone()).await
    }

    /// A number that the database tells; `SCHEMA` is the schema.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = sql.replace("SCHEMA", self.schema.name().as_str());
        number(&mut connect().await, &sql).await
    }

    /// Nothing is left behind: no session in a transaction, none too many, nothing that contradicts itself.
    pub(crate) async fn assert_whole(&self) {
        let mut conn = connect().await;
        let ours = format!(
            "FROM pg_stat_activity WHERE application_name = '{}'",
            self.name
        );
        // The server notices the end of a session by itself, but not at once.
        let busy = format!("SELECT count(*) {ours} AND state IS DISTINCT FROM 'idle'");
        until(&mut conn, &busy, 0).await;
        let limit = i64::from(self.connections);
        let sessions = format!("SELECT greatest({limit}, (SELECT count(*) {ours}))");
        until(&mut conn, &sessions, limit).await;
        assert_consistent(&mut conn, self.schema.name()).await;
    }
}

/// Longer than any lease that the tests take.
pub(crate) const LEASE: Duration = Duration::from_secs(60 * 60);
