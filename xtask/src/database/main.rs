//! What `cargo xtask` must ask a database: a program of its own, since it alone needs a database's client.
//!
//! `DATABASE_URL` says which server. `xtask-database major` prints the server's major version. `xtask-database scratch DIR`
//! makes a database, applies the migrations in DIR to its schema `dvt`, prints the database's name, and drops it when the
//! standard input ends. `xtask-database file DIR FILE` applies the migrations in DIR to a new file of SQLite, and asks no server.

use std::env;
use std::error::Error;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Where migrations go; the queries name their tables without it.
const SCHEMA: &str = "dvt";

fn main() -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(env::args().skip(1).collect())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Vec<String>) -> Outcome<()> {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    if let ["file", migrations, file] = args[..] {
        return migrate_file(Path::new(migrations), Path::new(file)).await;
    }
    let url =
        env::var("DATABASE_URL").map_err(|_| "expected a server in DATABASE_URL, found none")?;
    // The error of the parser may quote the URL, and with it a password.
    let options: PgConnectOptions = url
        .parse()
        .map_err(|_| "DATABASE_URL is no URL of a PostgreSQL server")?;
    let mut server = options.connect().await?;
    match args[..] {
        ["major"] => println!("{}", major(&mut server).await?),
        ["scratch", migrations] => scratch(&mut server, options, Path::new(migrations)).await?,
        _ => return Err("usage: xtask-database major | scratch DIR | file DIR FILE".into()),
    }
    server.close().await?;
    Ok(())
}

/// The server's major version.
async fn major(server: &mut PgConnection) -> Outcome<u32> {
    let number: String = sqlx::query_scalar("SHOW server_version_num")
        .fetch_one(server)
        .await?;
    Ok(number.parse::<u32>()? / 10_000)
}

/// Keeps a migrated database for as long as the standard input lasts.
async fn scratch(
    server: &mut PgConnection,
    options: PgConnectOptions,
    migrations: &Path,
) -> Outcome<()> {
    let random = RandomState::new().build_hasher().finish();
    let name = format!("dvt_prepare_{random:016x}");
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut *server)
        .await?;

    let migrated = migrate(options.database(&name), migrations).await;
    if migrated.is_ok() {
        println!("{name}");
        // The connection idles meanwhile; nothing else is to be done.
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
    }
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::query(AssertSqlSafe(drop)).execute(server).await?;
    migrated
}

async fn migrate(options: PgConnectOptions, migrations: &Path) -> Outcome<()> {
    let options = options.options([("search_path", format!("{SCHEMA},pg_temp"))]);
    let mut database = options.connect().await?;
    let mut migrator = Migrator::new(migrations).await?;
    // As in a store, whose queries may ask for it.
    migrator.dangerous_set_table_name(format!("{SCHEMA}.schema_migrations"));
    migrator.create_schema(SCHEMA);
    migrator.run(&mut database).await?;
    database.close().await?;
    Ok(())
}

async fn migrate_file(migrations: &Path, file: &Path) -> Outcome<()> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let mut database = options.connect().await?;
    Migrator::new(migrations).await?.run(&mut database).await?;
    database.close().await?;
    Ok(())
}
