//! The same histories on all three stores: equal replies, equal final states.

use std::sync::Arc;

use dvt_adapter_memory::{ManualClock, MemoryStore};
use dvt_adapter_postgres::{ClockShift, PostgresStore, migrate};
use dvt_adapter_sqlite::{ClockShift as FileClockShift, SqliteSettings, SqliteStore};
use dvt_conformance::{Contestant, Failure, Harness, Played, async_trait, differ};
use dvt_contracts::{BoxError, Store, Timestamp};
use tempfile::TempDir;

use crate::server::{TestSchema, connect, execute};
use crate::trial::{Outcome, trials};

/// How many histories must come to their end.
const HISTORIES: u32 = 1_000;

trials![memory_a_file_and_a_server_tell_the_same];

async fn memory_a_file_and_a_server_tell_the_same() -> Outcome {
    let played = play().await.map_err(|failure| failure.to_string())?;

    println!("{played:?}");
    assert_eq!(played.whole, HISTORIES);
    Ok(())
}

async fn play() -> Result<Played, Failure> {
    let contestants = [
        Contestant::new("memory", Memory).await?,
        Contestant::new("sqlite", Sqlite).await?,
        Contestant::new("postgres", Postgres::new().await).await?,
    ];
    differ(&contestants, HISTORIES).await
}

struct Memory;

#[async_trait]
impl Harness for Memory {
    type Space = (MemoryStore, ManualClock);

    async fn create(&self) -> Result<Self::Space, BoxError> {
        let clock = ManualClock::at(Timestamp::now());
        Ok((MemoryStore::with_clock(clock.clone()), clock))
    }

    async fn open(&self, (store, _): &Self::Space) -> Result<Arc<dyn Store>, BoxError> {
        Ok(Arc::new(store.clone()))
    }

    async fn shift_clock(&self, (_, clock): &Self::Space, seconds: i64) -> Result<(), BoxError> {
        let micros = clock.now().as_micros() + seconds * 1_000_000;
        clock.set(Timestamp::from_micros(micros)?);
        Ok(())
    }
}

struct Sqlite;

#[async_trait]
impl Harness for Sqlite {
    type Space = (TempDir, FileClockShift);

    async fn create(&self) -> Result<Self::Space, BoxError> {
        Ok((tempfile::tempdir()?, FileClockShift::default()))
    }

    async fn open(&self, (folder, clock): &Self::Space) -> Result<Arc<dyn Store>, BoxError> {
        let settings = SqliteSettings::new(folder.path().join("dvt.db"));
        let store = SqliteStore::open(settings.with_clock_shift(clock.clone())).await?;
        Ok(Arc::new(store))
    }

    async fn shift_clock(&self, (_, clock): &Self::Space, seconds: i64) -> Result<(), BoxError> {
        clock.advance(seconds);
        Ok(())
    }
}

/// One schema, emptied for each history: to make a thousand would take longer than to play in them.
struct Postgres {
    schema: TestSchema,
    clock: ClockShift,
    store: PostgresStore,
}

impl Postgres {
    async fn new() -> Self {
        let schema = TestSchema::create();
        migrate(&schema.settings(), &mut |_| ()).await.unwrap();
        // The log lets go of nothing otherwise.
        let guards = format!(
            "ALTER TABLE {}.run_events DISABLE TRIGGER USER",
            schema.name()
        );
        execute(&mut connect().await, guards).await;
        let clock = ClockShift::default();
        let settings = schema.settings().with_clock_shift(clock.clone());
        let store = PostgresStore::connect(settings).await.unwrap();
        Self {
            schema,
            clock,
            store,
        }
    }
}

#[async_trait]
impl Harness for Postgres {
    type Space = ();

    async fn create(&self) -> Result<(), BoxError> {
        let tables = [
            "run_checkpoints",
            "outbox_dead_letters",
            "outbox_destination",
            "run_events",
            "outbox",
            "run_metadata",
        ];
        let name = self.schema.name();
        let emptied = tables.map(|table| format!("DELETE FROM {name}.{table};"));
        execute(&mut connect().await, emptied.concat()).await;
        Ok(())
    }

    async fn open(&self, (): &()) -> Result<Arc<dyn Store>, BoxError> {
        Ok(Arc::new(self.store.clone()))
    }

    async fn shift_clock(&self, (): &(), seconds: i64) -> Result<(), BoxError> {
        self.clock.advance(seconds);
        Ok(())
    }
}
