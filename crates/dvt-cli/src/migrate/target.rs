//! Which database, and which schema in it.

use dvt_adapter_postgres::{PostgresSettings, SchemaName};

use crate::failure::Failure;

/// Allows connections in clear text to other machines.
const ALLOW_PLAINTEXT: &str = "DVT_PG_ALLOW_PLAINTEXT";

/// Where the URL of the store comes from, in this order.
const SOURCES: [&str; 2] = ["DVT_STORE", "DATABASE_URL"];

/// The schema; nothing, or an empty text, means `dvt`.
pub(super) fn schema(name: Option<&str>) -> Result<SchemaName, Failure> {
    match name.unwrap_or_default() {
        "" => Ok(SchemaName::default()),
        name => name
            .parse()
            .map_err(|error| Failure::Usage(format!("{error} (check --schema and DVT_PG_SCHEMA)"))),
    }
}

/// The database that `--store` names, or else the environment.
pub(super) fn settings(store: Option<&str>) -> Result<PostgresSettings, Failure> {
    let variable = |name: &'static str| std::env::var(name).ok().map(|url| (name, url));
    let given = store.map(|url| ("--store", url.to_owned()));
    let (source, url) = given
        .into_iter()
        .chain(SOURCES.into_iter().filter_map(variable))
        .find(|(_, url)| !url.is_empty())
        .ok_or_else(|| {
            usage("no database is named: give --store postgres://user@host:port/database, or set DVT_STORE or DATABASE_URL")
        })?;
    if url == "memory:" {
        return Err(usage(format!(
            "{source} is memory:, which has no schema: give --store postgres://…"
        )));
    }
    let read = if plaintext()? {
        PostgresSettings::from_url_allowing_plaintext(&url)
    } else {
        PostgresSettings::from_url(&url)
    };
    read.map_err(|error| usage(format!("{source}: {error}")))
}

fn plaintext() -> Result<bool, Failure> {
    match std::env::var(ALLOW_PLAINTEXT).unwrap_or_default().as_str() {
        "" | "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(usage(format!(
            "{ALLOW_PLAINTEXT} has a value that is not understood: expected 0 or 1"
        ))),
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage(message.into())
}
