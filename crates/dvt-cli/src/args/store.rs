use clap::Args as ClapArgs;

/// Which store a command works on.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArgs {
    /// The store: `postgres://USER@HOST/DATABASE`. [else: $DVT_STORE, then $DATABASE_URL]
    ///
    /// `dvt record` also takes `memory:`, which lasts as long as the command; it is what remains if nothing names a store.
    ///
    /// A password is better in `PGPASSWORD` or a password file: other users of the machine can see a command line.
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// The schema of the store on PostgreSQL. [else: $DVT_PG_SCHEMA, then dvt]
    #[arg(long, value_name = "NAME")]
    pub(crate) schema: Option<String>,
}
