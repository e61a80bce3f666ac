use std::fmt;

use dvt_adapter_postgres::{PostgresSettings, SchemaName};

use crate::args::StoreArgs;
use crate::failure::Failure;

/// The store that the command line and the environment choose.
#[derive(Debug)]
pub(super) enum Choice {
    /// One that lasts as long as the command.
    Memory,
    /// One on PostgreSQL.
    Postgres(Postgres),
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

/// Where a store can be named, the first one that does wins.
const VARIABLES: [&str; 2] = ["DVT_STORE", "DATABASE_URL"];
const SCHEMA_VARIABLE: &str = "DVT_PG_SCHEMA";
/// Allows connections in clear text to other machines.
const PLAINTEXT_VARIABLE: &str = "DVT_PG_ALLOW_PLAINTEXT";

impl Choice {
    /// Reads the options, and the variables of the environment through `variable`. An empty value counts as none:
    /// that is how compose files leave a variable out.
    pub(super) fn new(
        args: &StoreArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let filled = |value: &String| !value.is_empty();
        let option = args.store.clone().filter(filled);
        let named = option.map(|url| ("--store", url)).or_else(|| {
            VARIABLES
                .into_iter()
                .find_map(|name| Some((name, variable(name).filter(filled)?)))
        });
        let Some((origin, url)) = named else {
            return Ok(Self::Memory);
        };
        // Other programs read DATABASE_URL too: it names a database, and memory is none.
        let takes_memory = origin != "DATABASE_URL";
        if takes_memory && url == "memory:" {
            return Ok(Self::Memory);
        }
        if !is_postgres(&url) {
            let memory = if takes_memory { ", or memory:" } else { "" };
            return Err(Failure::Usage(format!(
                "{origin} names the store {:?}, which is not supported: expected postgres://USER@HOST/DATABASE{memory} \
                 (--store goes before DVT_STORE, and that before DATABASE_URL)",
                scheme(&url)
            )));
        }
        let schema_option = args.schema.clone().filter(filled);
        let schema = schema_option
            .map(|name| ("--schema", name))
            .or_else(|| Some((SCHEMA_VARIABLE, variable(SCHEMA_VARIABLE).filter(filled)?)));
        let schema = match schema {
            Some((origin, name)) => name
                .parse()
                .map_err(|error| Failure::Usage(format!("{origin}: {error}")))?,
            None => SchemaName::default(),
        };
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

    /// The same, but refuses a store that can hold nothing yet.
    pub(super) fn kept(self) -> Result<Self, Failure> {
        match self {
            Self::Memory => Err(Failure::Usage(
                "memory: keeps nothing between two commands: name a store that does, with --store postgres://USER@HOST/DATABASE \
                 or in DVT_STORE or DATABASE_URL; on memory, use dvt record FILE --show --drain"
                    .to_owned(),
            )),
            kept => Ok(kept),
        }
    }
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
mod tests {
    use super::*;

    fn choose(store: Option<&str>, variables: &[(&str, &str)]) -> Result<Choice, Failure> {
        let args = StoreArgs {
            store: store.map(str::to_owned),
            ..StoreArgs::default()
        };
        Choice::new(&args, |name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        })
    }

    fn url(chosen: Result<Choice, Failure>) -> String {
        match chosen.unwrap() {
            Choice::Memory => "memory:".to_owned(),
            Choice::Postgres(postgres) => postgres.url,
        }
    }

    const ALL: [(&str, &str); 2] = [
        ("DVT_STORE", "postgres://second"),
        ("DATABASE_URL", "postgresql://third"),
    ];

    #[test]
    fn the_option_goes_before_the_variables_and_memory_is_last() {
        assert_eq!(
            url(choose(Some("postgres://first"), &ALL)),
            "postgres://first"
        );
        assert_eq!(url(choose(Some("memory:"), &ALL)), "memory:");
        assert_eq!(url(choose(None, &ALL)), "postgres://second");
        assert_eq!(url(choose(None, &ALL[1..])), "postgresql://third");
        assert_eq!(url(choose(None, &[])), "memory:");
    }

    #[test]
    fn an_empty_value_is_none() {
        assert_eq!(url(choose(Some(""), &ALL)), "postgres://second");
        assert_eq!(
            url(choose(None, &[("DVT_STORE", ""), ("DATABASE_URL", "")])),
            "memory:"
        );
    }

    #[test]
    fn a_store_that_is_not_supported_is_refused_by_the_name_of_who_named_it() {
        let refused = choose(None, &[("DATABASE_URL", "mysql://dvt:secret@host/dvt")]).unwrap_err();
        assert_eq!(refused.exit().code(), 2);
        assert_eq!(
            refused.to_string(),
            "DATABASE_URL names the store \"mysql:…\", which is not supported: expected postgres://USER@HOST/DATABASE \
             (--store goes before DVT_STORE, and that before DATABASE_URL)"
        );
        for (name, value) in [
            ("DATABASE_URL", "memory:"),
            ("DVT_STORE", "secret"),
            ("DVT_STORE", "postgres:secret"),
        ] {
            let refused = choose(None, &[(name, value)]).unwrap_err().to_string();
            assert!(refused.starts_with(name), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn the_schema_has_an_option_a_variable_and_a_default() {
        let chosen = |schema: Option<&str>, variable: Option<&str>| {
            let args = StoreArgs {
                store: Some("postgres://host/dvt".to_owned()),
                schema: schema.map(str::to_owned),
            };
            let variable = variable.map(str::to_owned);
            Choice::new(&args, |name| {
                variable.clone().filter(|_| name == SCHEMA_VARIABLE)
            })
        };
        let name = |choice: Result<Choice, Failure>| match choice.unwrap() {
            Choice::Postgres(postgres) => postgres.settings().unwrap().schema().to_string(),
            Choice::Memory => String::new(),
        };
        assert_eq!(name(chosen(Some("one"), Some("two"))), "one");
        assert_eq!(name(chosen(None, Some("two"))), "two");
        assert_eq!(name(chosen(None, Some(""))), "dvt");
        let refused = chosen(None, Some("No")).unwrap_err();
        assert_eq!(refused.exit().code(), 2);
        assert!(
            refused.to_string().starts_with("DVT_PG_SCHEMA: "),
            "{refused}"
        );
    }

    #[test]
    fn clear_text_to_another_machine_needs_the_variable() {
        let url = "postgres://dvt@db.example/dvt?sslmode=disable";
        let settings = |variables: &[(&str, &str)]| match choose(Some(url), variables)? {
            Choice::Postgres(postgres) => postgres.settings(),
            Choice::Memory => panic!("{url} is on PostgreSQL"),
        };
        let refused = settings(&[]).unwrap_err().to_string();
        assert!(refused.contains(PLAINTEXT_VARIABLE), "{refused}");
        assert!(settings(&[(PLAINTEXT_VARIABLE, "1")]).is_ok());
        assert!(settings(&[(PLAINTEXT_VARIABLE, "yes")]).is_err());
    }

    #[test]
    fn memory_is_no_store_to_read_from() {
        let refused = choose(None, &[]).unwrap().kept().unwrap_err();
        assert_eq!(refused.exit().code(), 2);
        let message = refused.to_string();
        for way in ["--store", "DVT_STORE", "DATABASE_URL"] {
            assert!(message.contains(way), "{message}");
        }
    }

    #[test]
    fn nothing_shows_a_password() {
        let chosen = choose(Some("postgres://dvt:secret@host/dvt?password=secret"), &[]);
        assert!(!format!("{:?}", chosen.unwrap()).contains("secret"));
        for broken in [
            "postgres://dvt:secret@host:port/dvt",
            "postgres://dvt:se/cret@host/dvt",
            "postgres://dvt:secret@host/dvt?sslmode=secret",
        ] {
            let Choice::Postgres(postgres) = choose(Some(broken), &[]).unwrap() else {
                panic!("{broken} is on PostgreSQL");
            };
            let told = format!("{:?}", postgres.settings().map(drop));
            assert!(!told.contains("cret@"), "{told}");
            assert!(!told.contains("dvt:se"), "{told}");
        }
    }
}
