use std::process::{Command, Output, Stdio};
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// A schema of its own on the server, removed at the end.
#[derive(Debug)]
pub(crate) struct Database {
    /// How the server is reached.
    pub(crate) url: String,
    /// The schema that holds the store.
    pub(crate) schema: String,
}

/// What a run of the command gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Database {
    /// A new schema with an empty store.
    pub(crate) fn migrated(url: &str) -> Self {
        let database = Self {
            url: url.to_owned(),
            schema: random_schema(),
        };
        database.dvt(&["migrate"]).done();
        database
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
        drop_schema(&self.url, &self.schema);
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
    format!("dvt_it_{}", uuid::Uuid::new_v4().simple())
}

/// Removes a schema with all that is in it.
fn drop_schema(url: &str, schema: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dropped = runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let sql = AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"));
        sqlx::raw_sql(sql).execute(&mut connection).await?;
        connection.close().await
    });
    // No panic: this runs while a failed test unwinds, too.
    if let Err(error) = dropped {
        eprintln!("schema {schema} is left behind: {error}");
    }
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

    /// Standard output as the one JSON value that it is.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the command is not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
