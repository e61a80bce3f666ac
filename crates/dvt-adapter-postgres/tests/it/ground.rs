//! A migrated schema with a store in it.

use std::time::Duration;

use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_conformance::fixture::{metadata, run};
use dvt_contracts::{
    AppendOutcome, AppendRequest, BootstrapRequest, Event, RunKey, RunStateStore as _,
    RunStateStoreExt as _, StoreError,
};
use sqlx::PgConnection;

use crate::migrations::quietly;
use crate::server::{TestSchema, connect, execute, url};

/// The schema goes with it.
pub(crate) struct Ground {
    pub(crate) store: PostgresStore,
    pub(crate) schema: TestSchema,
}

impl Ground {
    /// In the database of `DATABASE_URL`, with the usual settings.
    pub(crate) async fn new() -> Self {
        Self::with(|settings| settings).await
    }

    /// With settings of one's own.
    pub(crate) async fn with(change: impl FnOnce(PostgresSettings) -> PostgresSettings) -> Self {
        let schema = TestSchema::create();
        quietly(&schema.settings()).await.unwrap();
        let store = PostgresStore::connect(change(schema.settings_by(&url())));
        let store = store.await.unwrap();
        Self { store, schema }
    }

    /// Makes a run without events.
    pub(crate) async fn bootstrap(&self, run_id: &str) -> RunKey {
        bootstrap(&self.store, &run(run_id)).await;
        run(run_id)
    }

    /// Appends to a run, whatever its head is.
    pub(crate) async fn append(
        &self,
        run: &RunKey,
        events: Vec<Event>,
    ) -> Result<AppendOutcome, StoreError> {
        let request = AppendRequest::new(run.clone(), events);
        self.store.append_and_enqueue(request).await
    }

    /// The numbers in a run's log.
    pub(crate) async fn log(&self, run: &RunKey) -> Vec<u64> {
        let (mut seqs, mut after) = (Vec::new(), 0);
        loop {
            let page = self.store.list_events(run, after, 1_000).await.unwrap();
            seqs.extend(page.events.iter().map(|event| event.run_seq));
            if page.is_last(after) {
                return seqs;
            }
            after = *seqs.last().unwrap();
        }
    }

    /// A connection of the test's own, with the schema on its path.
    pub(crate) async fn connection(&self) -> PgConnection {
        let mut conn = connect().await;
        let path = format!("SET search_path = {}, pg_temp", self.schema.name());
        execute(&mut conn, path).await;
        conn
    }
}

/// Makes a run without events, of any tenant.
pub(crate) async fn bootstrap(store: &PostgresStore, run: &RunKey) {
    let request = BootstrapRequest {
        run: run.clone(),
        metadata: metadata(),
        events: Vec::new(),
    };
    store.bootstrap_run(&request).await.unwrap();
}

/// Whether something becomes true within ten seconds; it is looked at again and again.
pub(crate) async fn becomes_true(mut look: impl AsyncFnMut() -> bool) -> bool {
    let look_again = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), look_again)
        .await
        .is_ok()
}
