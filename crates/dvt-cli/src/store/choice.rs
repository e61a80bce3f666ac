use std::fmt;
use std::path::PathBuf;

use dvt_adapter_postgres::{PostgresSettings, SchemaName};
use dvt_adapter_sqlite::SqliteSettings;

use crate::args::StoreArgs;
use crate::failure::Failure;

/// The store that the command line and the environment choose.
#[derive(Debug)]
pub(super) enum Choice {
    /// One that lasts as long as the command, and what named it.
    Memory(&'static str),
    /// One in a file.
    Sqlite(Sqlite),
    /// One on PostgreSQL.
    Postgres(Postgres),
}

/// A store in a file, as it was named.
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) file: PathBuf,
    /// The option or variable that named it: nothing, if it is what remains.
    origin: Option<&'static str>,
}

/// A store on PostgreSQL, as it was named.
pub(super) struct Postgres {
    /// May hold a password: never to be shown.
    url: String,
    /// The option or variable that named it.
    origin: &'static str,
    schema: SchemaName,
    allow_plaintext: bool,
}

/// Names a database for other programs too.
const DATABASE_VARIABLE: &str = "DATABASE_URL";
const SCHEMA_VARIABLE: &str = "DVT_PG_SCHEMA";
/// Allows connections in clear text to other machines.
const PLAINTEXT_VARIABLE: &str = "DVT_PG_ALLOW_PLAINTEXT";
/// The store if nothing names one: in the current folder.
pub(super) const DEFAULT_FILE: &str = "dvt.db";
/// The remedy for a store that the command cannot use.
const NAME_ANOTHER: &str = "name one on PostgreSQL, with --store postgres://USER@HOST/DATABASE or in DVT_STORE or DATABASE_URL";

impl Choice {
    /// Reads the options, and the variables of the environment through `variable`. An empty value counts as none:
    /// that is how compose files leave a variable out.
    pub(super) fn new(
        args: &StoreArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let named = first([
            ("--store", args.store.clone()),
            ("DVT_STORE", variable("DVT_STORE")),
            (DATABASE_VARIABLE, variable(DATABASE_VARIABLE)),
        ]);
        let Some((origin, url)) = named else {
            return Ok(Self::Sqlite(Sqlite {
                file: DEFAULT_FILE.into(),
                origin: None,
            }));
        };
        // Memory is no database.
        let takes_memory = origin != DATABASE_VARIABLE;
        if takes_memory && url == "memory:" {
            return Ok(Self::Memory(origin));
        }
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Sqlite::new(path, origin).map(Self::Sqlite);
        }
        if !is_postgres(&url) {
            let memory = match takes_memory {
                true => ", sqlite:FILE, or memory: for dvt record",
                false => " or sqlite:FILE",
            };
            return Err(Failure::Usage(format!(
                "{origin} names the store {:?}, which is not supported: expected postgres://USER@HOST/DATABASE{memory} \
                 (--store goes before DVT_STORE, and that before DATABASE_URL)",
                scheme(&url)
            )));
        }
        let schema = schema(args, &variable)?;
        let allow_plaintext = match variable(PLAINTEXT_VARIABLE).as_deref() {
            None | Some("" | "0") => false,
            Some("1") => true,
            Some(_) => {
                return Err(Failure::Usage(format!(
                    "{PLAINTEXT_VARIABLE} has a value that is not understood: expected 0 or 1"
                )));
            }
        };
        Ok(Self::Postgres(Postgres {
            url,
            origin,
            schema,
            allow_plaintext,
        }))
    }

    /// The same, but refuses `--schema` where it would say nothing: whoever gives it means a store on PostgreSQL. A variable
    /// may be set for other commands.
    pub(super) fn with_schema_of(self, args: &StoreArgs) -> Result<Self, Failure> {
        match self {
            Self::Postgres(_) => Ok(self),
            other if args.schema.as_ref().is_some_and(|name| !name.is_empty()) => {
                Err(Failure::Usage(format!(
                    "{}, which has no schema: leave --schema out, or {NAME_ANOTHER}",
                    other.told()
                )))
            }
            chosen => Ok(chosen),
        }
    }

    /// The same, but refuses a store that can hold nothing yet.
    pub(super) fn kept(self) -> Result<Self, Failure> {
        match self {
            Self::Memory(_) => Err(Failure::Usage(format!(
                "{}, which keeps nothing between two commands: name sqlite:FILE, or {NAME_ANOTHER}; or do it all in one \
                 command, with dvt record FILE --show --drain",
                self.told()
            ))),
            kept => Ok(kept),
        }
    }

    /// The store if it is one on PostgreSQL: no other has a schema.
    pub(super) fn on_postgres(self) -> Result<Postgres, Failure> {
        match self {
            Self::Postgres(postgres) => Ok(postgres),
            Self::Memory(_) => Err(Failure::Usage(format!(
                "{}, which has no schema: {NAME_ANOTHER}",
                self.told()
            ))),
            Self::Sqlite(_) => Err(Failure::Usage(format!(
                "{}, whose schema the first write makes and keeps up to date: this command is for PostgreSQL, {NAME_ANOTHER}",
                self.told()
            ))),
        }
    }

    /// The beginning of a sentence about a store that is not on PostgreSQL.
    fn told(&self) -> String {
        match self {
            Self::Memory(origin) => format!("{origin} names the store memory:"),
            Self::Sqlite(sqlite) => sqlite.told(),
            Self::Postgres(_) => "the store is on PostgreSQL".to_owned(),
        }
    }
}

impl Sqlite {
    fn new(path: &str, origin: &'static str) -> Result<Self, Failure> {
        // As other programs write it: sqlite://relative, sqlite:///absolute.
        let path = path.strip_prefix("//").unwrap_or(path);
        let wrong = match path {
            "" => "names no file",
            ":memory:" => "is in memory, which dvt calls memory:",
            _ if path.contains('?') => "has options after ?, of which dvt takes none",
            _ => "",
        };
        if wrong.is_empty() {
            return Ok(Self {
                file: path.into(),
                origin: Some(origin),
            });
        }
        Err(Failure::Usage(format!(
            "{origin} names the store {:?}, which {wrong}: expected sqlite:FILE",
            format!("sqlite:{path}")
        )))
    }

    /// How to open it to write.
    pub(super) fn settings(&self) -> SqliteSettings {
        SqliteSettings::new(&self.file)
    }

    /// The beginning of a sentence about it.
    pub(super) fn told(&self) -> String {
        let file = self.file.display();
        match self.origin {
            Some(origin) => format!("{origin} names the store sqlite:{file}"),
            None => format!("no store is named, so it is sqlite:{file}"),
        }
    }
}

/// The schema of a store on PostgreSQL, whichever store that is.
pub(super) fn schema(
    args: &StoreArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<SchemaName, Failure> {
    let named = first([
        ("--schema", args.schema.clone()),
        (SCHEMA_VARIABLE, variable(SCHEMA_VARIABLE)),
    ]);
    match named {
        Some((origin, name)) => name
            .parse()
            .map_err(|error| Failure::Usage(format!("{origin}: {error}"))),
        None => Ok(SchemaName::default()),
    }
}

/// The first value that is not empty, with the name of where it comes from.
fn first<const N: usize>(
    values: [(&'static str, Option<String>); N],
) -> Option<(&'static str, String)> {
    values
        .into_iter()
        .find_map(|(origin, value)| Some((origin, value.filter(|value| !value.is_empty())?)))
}

impl Postgres {
    /// What to connect with.
    pub(super) fn settings(&self) -> Result<PostgresSettings, Failure> {
        let read = match self.allow_plaintext {
            true => PostgresSettings::from_url_allowing_plaintext(&self.url),
            false => PostgresSettings::from_url(&self.url),
        };
        let settings = read.map_err(|error| Failure::Usage(format!("{}: {error}", self.origin)))?;
        Ok(settings.with_schema(self.schema.clone()))
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("url", &scheme(&self.url))
            .field("origin", &self.origin)
            .field("schema", &self.schema)
            .field("allow_plaintext", &self.allow_plaintext)
            .finish()
    }
}

fn is_postgres(url: &str) -> bool {
    ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

/// The scheme alone: the rest of a URL may hold a password, wherever a typing error has put it.
fn scheme(url: &str) -> String {
    match url.split_once(':') {
        Some((scheme, _)) => format!("{}:…", scheme.chars().take(40).collect::<String>()),
        None => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests;
