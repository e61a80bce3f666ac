use std::process::{Command, Stdio};
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

pub(crate) use crate::ran::Ran;

/// A schema for one test, removed at the end.
#[derive(Debug)]
pub(crate) struct Database {
    /// How the server is reached.
    url: String,
    /// The schema that holds the store.
    pub(crate) schema: String,
}

impl Database {
    /// The name of a schema that nobody else has. The schema is not made.
    pub(crate) fn without_store(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            schema: random_schema(),
        }
    }

    /// A new schema with an empty store.
    pub(crate) fn migrated(url: &str) -> Self {
        let database = Self::without_store(url);
        database.dvt(&["migrate"]).done();
        database
    }

    /// Another one on the same server, without a store.
    pub(crate) fn another(&self) -> Self {
        Self::without_store(&self.url)
    }

    /// The command on this store.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .env("DATABASE_URL", &self.url)
            .env("DVT_PG_SCHEMA", &self.schema);
        command
    }

    /// Runs the command on this store.
    pub(crate) fn dvt(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// Runs statements with the schema before all others.
    pub(crate) fn execute(&self, sql: &str) {
        let sql = format!("SET search_path = {}; {sql}", self.schema);
        execute(&self.url, sql).unwrap();
    }

    /// The only number that a query gives, with the schema before all others.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        let options = PgConnectOptions::from_str(&self.url).unwrap();
        let options = options.options([("search_path", &self.schema)]);
        connected(async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
            let count = query.fetch_one(&mut connection).await?;
            connection.close().await?;
            Ok(count)
        })
        .unwrap()
    }

    /// The URL of the server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another database on the same server, with a password.
    pub(crate) fn url_of(&self, database: &str, password: &str) -> String {
        let options = PgConnectOptions::from_str(&self.url).unwrap();
        options
            .database(database)
            .password(password)
            .to_url_lossy()
            .into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema);
        // No panic: this runs while a failed test unwinds, too.
        if let Err(error) = execute(&self.url, sql) {
            eprintln!("schema {} is left behind: {error}", self.schema);
        }
    }
}

/// The command with nothing in its environment but what libraries of PostgreSQL need to log in.
pub(crate) fn bare(args: &[&str]) -> Command {
    let login = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name == "HOME" || name.starts_with("PG")
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_dvt"));
    command
        .args(args)
        .env_clear()
        .envs(login)
        .env("COLUMNS", "100")
        .stdin(Stdio::null());
    command
}

/// A name that nobody else has.
pub(crate) fn random_schema() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("dvt_it_{}", &random[..16])
}

fn execute(url: &str, sql: String) -> Result<(), sqlx::Error> {
    connected(async {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        connection.close().await
    })
}

fn connected<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

impl Ran {
    /// The same, if it is one that did all it had to.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Standard output, one JSON value per line.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
