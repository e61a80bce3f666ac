use std::sync::{Arc, Mutex, PoisonError};

use dvt_adapter_memory::MemoryStore;
use dvt_adapter_postgres::{HintListener, PostgresSettings, PostgresStore, SchemaName};
use dvt_adapter_sqlite::{SqliteSettings, SqliteStore};
use dvt_contracts::Store;

use crate::args::StoreArgs;
use crate::failure::Failure;

mod choice;

use self::choice::{Choice, Sqlite};

/// A store, and what tells that something was appended to it by others, if anything does.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hints: Option<HintListener>,
}

/// Opens the store to record into: the one that is named, else the file in the current folder, which the first write makes.
pub(crate) async fn open(args: &StoreArgs) -> Result<Arc<dyn Store>, Failure> {
    match choose(args)?.with_schema_of(args)? {
        Choice::Memory(_) => Ok(Arc::new(MemoryStore::new())),
        Choice::Sqlite(sqlite) => open_file(sqlite.settings()).await,
        Choice::Postgres(postgres) => Ok(connect_postgres(postgres.settings()?).await?.store),
    }
}

/// Opens a store that was there before: in memory nothing could be.
pub(crate) async fn open_kept(args: &StoreArgs) -> Result<Arc<dyn Store>, Failure> {
    let opened = open_to_follow(args).await?;
    Ok(opened.store)
}

/// The same, for a command that goes on with what is appended later.
pub(crate) async fn open_to_follow(args: &StoreArgs) -> Result<Opened, Failure> {
    match choose(args)?.with_schema_of(args)?.kept()? {
        Choice::Postgres(postgres) => connect_postgres(postgres.settings()?).await,
        Choice::Sqlite(sqlite) => open_kept_file(&sqlite).await,
        // Memory is never kept.
        Choice::Memory(_) => Ok(Opened {
            store: Arc::new(MemoryStore::new()),
            hints: None,
        }),
    }
}

async fn open_kept_file(sqlite: &Sqlite) -> Result<Opened, Failure> {
    if matches!(sqlite.file.try_exists(), Ok(false)) {
        return Err(Failure::NoFile(sqlite.told()));
    }
    Ok(Opened {
        store: open_file(sqlite.settings().with_create(false)).await?,
        hints: None,
    })
}

/// The store of the demo: the file in the current folder, and whether it was there before.
pub(crate) async fn open_default() -> Result<(Arc<dyn Store>, bool), Failure> {
    let settings = SqliteSettings::new(choice::DEFAULT_FILE);
    let is_there = settings.file().exists();
    Ok((open_file(settings).await?, is_there))
}

/// The stores in files that this process has opened.
static OPENED: Mutex<Vec<SqliteStore>> = Mutex::new(Vec::new());

/// Closes what was opened, so that a file holds everything when the command is over, and nothing is left beside it.
pub(crate) async fn close() {
    let opened = std::mem::take(&mut *OPENED.lock().unwrap_or_else(PoisonError::into_inner));
    for store in opened {
        store.close().await;
    }
}

async fn open_file(settings: SqliteSettings) -> Result<Arc<dyn Store>, Failure> {
    let name = format!("sqlite:{}", settings.file().display());
    match SqliteStore::open(settings).await {
        Ok(store) => {
            let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
            opened.push(store.clone());
            Ok(Arc::new(store))
        }
        Err(error) => Err(Failure::open(name, &error)),
    }
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
