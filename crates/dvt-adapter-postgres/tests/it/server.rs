//! The server of `DATABASE_URL`, and what tests make on it and take away again: schemas, roles and databases that are
//! all called `dvt_it_<random>`.

use dvt_adapter_postgres::{PostgresSettings, SchemaName};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use url::Url;
use uuid::Uuid;

/// The server. It must be there: who sets `DVT_PG_INTEGRATION=1` wants the tests to run.
///
/// On this machine it is spoken to in clear text, unless the URL says otherwise: the tests make thousands of connections,
/// and the driver's handshake waits twice for a delayed acknowledgement, 90 ms in all.
pub(crate) fn url() -> String {
    let given = std::env::var("DATABASE_URL");
    let given = given.expect("DVT_PG_INTEGRATION=1 needs DATABASE_URL=postgres://…");
    let mut url = Url::parse(&given).expect("DATABASE_URL is a URL");
    let asked = url
        .query_pairs()
        .any(|(name, _)| name == "sslmode" || name == "host");
    if !asked && matches!(url.host_str(), Some("localhost" | "127.0.0.1")) {
        url.query_pairs_mut().append_pair("sslmode", "disable");
    }
    url.to_string()
}

/// The server, seen by another role or with another database or parameter.
pub(crate) fn url_with(change: impl FnOnce(&mut Url)) -> String {
    let mut url = Url::parse(&url()).expect("DATABASE_URL is a URL");
    change(&mut url);
    url.to_string()
}

/// A connection as the role of `DATABASE_URL`.
pub(crate) async fn connect() -> PgConnection {
    connect_to(&url()).await
}

/// A connection to any URL.
pub(crate) async fn connect_to(url: &str) -> PgConnection {
    PgConnection::connect(url)
        .await
        .expect("the server of DATABASE_URL answers")
}

/// Runs statements that are made of names from here.
pub(crate) async fn execute(conn: &mut PgConnection, sql: impl Into<String>) {
    let sql = sql.into();
    let done = conn.execute(AssertSqlSafe(sql.clone())).await;
    done.unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// `dvt_it_<16 hexadecimal digits>`
pub(crate) fn random_name() -> String {
    format!("dvt_it_{}", &Uuid::new_v4().simple().to_string()[..16])
}

/// The name of a schema that nobody else has. It is not made; whatever is there at the end is dropped.
#[derive(Debug)]
pub(crate) struct TestSchema {
    name: SchemaName,
    cleanup: Cleanup,
}

impl TestSchema {
    /// In the database of `DATABASE_URL`.
    pub(crate) fn create() -> Self {
        let name: SchemaName = random_name().parse().unwrap();
        let cleanup = Cleanup::new(vec![format!("DROP SCHEMA IF EXISTS {name} CASCADE")]);
        Self { name, cleanup }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &SchemaName {
        &self.name
    }

    /// Settings for a store in it.
    pub(crate) fn settings(&self) -> PostgresSettings {
        self.settings_by(&url())
    }

    /// The same over another URL.
    pub(crate) fn settings_by(&self, url: &str) -> PostgresSettings {
        PostgresSettings::from_url(url)
            .unwrap()
            .with_schema(self.name.clone())
    }

    /// Drops it now and forgets it, for tests that need many.
    pub(crate) async fn drop_by(mut self, conn: &mut PgConnection) {
        for statement in std::mem::take(&mut self.cleanup.statements) {
            execute(conn, statement).await;
        }
    }
}

/// A role that may log in and nothing else.
#[derive(Debug)]
pub(crate) struct TestRole {
    /// Its name.
    pub(crate) name: String,
    _cleanup: Cleanup,
}

impl TestRole {
    /// Makes one. Make it before the schemas that it owns things in: what is made last goes first.
    pub(crate) async fn create() -> Self {
        let name = random_name();
        execute(
            &mut connect().await,
            format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'"),
        )
        .await;
        let statements = vec![format!("DROP OWNED BY {name}"), format!("DROP ROLE {name}")];
        Self {
            name,
            _cleanup: Cleanup::new(statements),
        }
    }

    /// The server, seen by it.
    pub(crate) fn url(&self) -> String {
        url_with(|url| {
            url.set_username(&self.name).unwrap();
            url.set_password(Some(&self.name)).unwrap();
        })
    }
}

/// A database.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    name: String,
    _cleanup: Cleanup,
}

impl TestDatabase {
    /// Makes one with an encoding.
    pub(crate) async fn create(encoding: &str) -> Self {
        Self::create_with(&format!(
            "ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .await
    }

    /// Makes one with any options.
    pub(crate) async fn create_with(options: &str) -> Self {
        let name = random_name();
        execute(
            &mut connect().await,
            format!("CREATE DATABASE {name} TEMPLATE template0 {options}"),
        )
        .await;
        let statements = vec![format!("DROP DATABASE {name} WITH (FORCE)")];
        Self {
            name,
            _cleanup: Cleanup::new(statements),
        }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        url_with(|url| url.set_path(&self.name))
    }
}

/// Statements that run at the end, also of a test that fails.
#[derive(Debug)]
struct Cleanup {
    statements: Vec<String>,
}

impl Cleanup {
    fn new(statements: Vec<String>) -> Self {
        Self { statements }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let statements = std::mem::take(&mut self.statements);
        if statements.is_empty() {
            return;
        }
        // A thread with a runtime of its own: this one's is busy, or gone.
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut conn = connect().await;
                for statement in statements {
                    execute(&mut conn, statement).await;
                }
            });
        });
        if cleaned.join().is_err() && !std::thread::panicking() {
            panic!("the test left something behind");
        }
    }
}
