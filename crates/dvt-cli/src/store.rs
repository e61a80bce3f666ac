use std::sync::Arc;

use dvt_adapter_memory::MemoryStore;
use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_contracts::Store;

use crate::args::StoreArgs;
use crate::failure::Failure;

mod choice;

use self::choice::Choice;

/// Opens the store to record into: the one that is named, else one that lasts as long as the command.
pub(crate) async fn open(args: &StoreArgs) -> Result<Arc<dyn Store>, Failure> {
    connect(choose(args)?).await
}

/// Opens a store that was there before: in memory nothing could be.
pub(crate) async fn open_kept(args: &StoreArgs) -> Result<Arc<dyn Store>, Failure> {
    connect(choose(args)?.kept()?).await
}

fn choose(args: &StoreArgs) -> Result<Choice, Failure> {
    Choice::new(args, |name| {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    })
}

async fn connect(choice: Choice) -> Result<Arc<dyn Store>, Failure> {
    match choice {
        Choice::Memory => Ok(Arc::new(MemoryStore::new())),
        Choice::Postgres(postgres) => connect_postgres(postgres.settings()?).await,
    }
}

/// Connects to the schema that the settings name.
async fn connect_postgres(settings: PostgresSettings) -> Result<Arc<dyn Store>, Failure> {
    let store = settings.to_string();
    match PostgresStore::connect(settings).await {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(Failure::open(store, &error)),
    }
}
