use clap::Args as ClapArgs;

/// Which store a command works on.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArgs {
    /// The store: `sqlite:FILE` or `postgres://USER@HOST/DATABASE`. [else: DVT_STORE, DATABASE_URL,
    /// sqlite:dvt.db]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// The schema that holds it, on PostgreSQL. [else: DVT_PG_SCHEMA, then dvt]
    #[arg(long, value_name = "NAME")]
    pub(crate) schema: Option<String>,
}

/// What the environment says about a store, as `--help` lists it.
pub(crate) const ENVIRONMENT: &str = "\
Environment:
  DVT_STORE, DATABASE_URL  the store, if --store is not given: the first that is not empty;
                           else it is the file dvt.db in the current folder
  DVT_PG_SCHEMA            the schema, if --schema is not given
  PGPASSWORD, PGPASSFILE   the password: other users of the machine can see one on a command line
  DVT_PG_ALLOW_PLAINTEXT   1 allows sslmode=disable, allow and prefer for another machine
";
