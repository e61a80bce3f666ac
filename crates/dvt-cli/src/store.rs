use std::sync::Arc;

use dvt_adapter_memory::MemoryStore;
use dvt_adapter_postgres::{HintListener, PostgresSettings, PostgresStore, SchemaName};
use dvt_contracts::Store;

use crate::args::StoreArgs;
use crate::failure::Failure;

mod choice;

use self::choice::Choice;

/// A store, and what tells that something was appended to it by others, if anything does.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hints: Option<HintListener>,
}

/// Opens the store to record into: the one that is named, else one that lasts as long as the command.
pub(crate) async fn open(args: &StoreArgs) -> Result<Arc<dyn Store>, Failure> {
    let opened = connect(choose(args)?.with_schema_of(args)?).await?;
    Ok(opened.store)
}

/// Opens a store that was there before: in memory nothing could be.
pub(crate) async fn open_kept(args: &StoreArgs) -> Result<Arc<dyn Store>, Failure> {
    let opened = open_to_follow(args).await?;
    Ok(opened.store)
}

/// The same, for a command that goes on with what is appended later.
pub(crate) async fn open_to_follow(args: &StoreArgs) -> Result<Opened, Failure> {
    connect(choose(args)?.kept()?).await
}

/// What reaches the store, if it is one on PostgreSQL. Connects to nothing.
pub(crate) fn postgres(args: &StoreArgs) -> Result<PostgresSettings, Failure> {
    choose(args)?.on_postgres()?.settings()
}

/// The schema of the store, without asking which store it is in.
pub(crate) fn schema(args: &StoreArgs) -> Result<SchemaName, Failure> {
    choice::schema(args, variable)
}

fn choose(args: &StoreArgs) -> Result<Choice, Failure> {
    Choice::new(args, variable)
}

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().into_owned())
}

async fn connect(choice: Choice) -> Result<Opened, Failure> {
    match choice {
        Choice::Memory(_) => Ok(Opened {
            store: Arc::new(MemoryStore::new()),
            hints: None,
        }),
        Choice::Postgres(postgres) => connect_postgres(postgres.settings()?).await,
    }
}

/// Connects to the schema that the settings name.
async fn connect_postgres(settings: PostgresSettings) -> Result<Opened, Failure> {
    let name = settings.to_string();
    // A relay elsewhere need not wait for its next look.
    match PostgresStore::connect(settings.with_hints(true)).await {
        Ok(store) => Ok(Opened {
            hints: Some(store.hint_listener()),
            store: Arc::new(store),
        }),
        Err(error) => Err(Failure::open(name, &error)),
    }
}
