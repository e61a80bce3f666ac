//! A service with tables and settings of its own, and a store next to it.

use dvt_adapter_postgres::PostgresStore;
use dvt_contracts::{AppendError, AppendOutcome, AppendRequest, RunKey, RunStateStore as _};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::server::{TestSchema, connect, execute, random_name, url_with};
use crate::stage::{assert_consistent, bootstrap, migrated, named, number, open};

/// A shop that has its own `outbox` and `run_events`, and a store next to it.
pub(crate) struct Shop {
    pub(crate) store: PostgresStore,
    pub(crate) pool: PgPool,
    pub(crate) runs: Vec<RunKey>,
    /// The name of the pool's sessions.
    pub(crate) name: String,
    pub(crate) ours: TestSchema,
    pub(crate) theirs: TestSchema,
    pub(crate) conn: PgConnection,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let (theirs, ours, name) = (TestSchema::create(), migrated().await, random_name());
        let mut conn = connect().await;
        let schema = theirs.name();
        for statement in [
            format!("CREATE SCHEMA {schema}"),
            format!("CREATE TABLE {schema}.outbox (parcel text)"),
            format!("CREATE TABLE {schema}.run_events (parcel text)"),
            format!("INSERT INTO {schema}.outbox VALUES ('decoy')"),
            format!("INSERT INTO {schema}.run_events VALUES ('decoy')"),
            format!("CREATE TABLE {schema}.orders (order_no bigint PRIMARY KEY)"),
        ] {
            execute(&mut conn, statement).await;
        }
        let store = open(ours.settings()).await;
        let runs = bootstrap(&store, &["a", "b", "c"]).await;
        let url = url_with(|url| {
            named(url, &name);
            url.query_pairs_mut()
                .append_pair("options[search_path]", schema.as_str());
        });
        let pool = PgPoolOptions::new().max_connections(4).connect(&url).await;
        Self {
            store,
            pool: pool.unwrap(),
            runs,
            name,
            ours,
            theirs,
            conn,
        }
    }

    /// A transaction that has written an order.
    pub(crate) async fn order(&self, order_no: i64) -> Transaction<'static, Postgres> {
        let mut transaction = self.pool.begin().await.unwrap();
        let order = sqlx::query("INSERT INTO orders VALUES ($1)").bind(order_no);
        order.execute(&mut *transaction).await.unwrap();
        transaction
    }

    pub(crate) async fn orders(&mut self) -> i64 {
        let sql = format!("SELECT count(*) FROM {}.orders", self.theirs.name());
        number(&mut self.conn, &sql).await
    }

    pub(crate) async fn head(&self, run: &RunKey) -> u64 {
        self.store.get_run(run).await.unwrap().head
    }

    /// Whatever happened, the caller's own tables are as they were, and the store's fit each other.
    pub(crate) async fn assert_in_order(mut self) {
        let theirs = self.theirs.name();
        let decoys = format!(
            "SELECT count(*) FROM {theirs}.outbox AS o FULL JOIN {theirs}.run_events AS e USING (parcel) \
             WHERE parcel = 'decoy' AND o.parcel IS NOT NULL AND e.parcel IS NOT NULL"
        );
        assert_eq!(number(&mut self.conn, &decoys).await, 1);
        let parcels = format!(
            "SELECT (SELECT count(*) FROM {theirs}.outbox) + (SELECT count(*) FROM {theirs}.run_events)"
        );
        assert_eq!(number(&mut self.conn, &parcels).await, 2);
        assert_consistent(&mut self.conn, self.ours.name()).await;
    }
}

/// Appends one event in the transaction.
pub(crate) async fn append_one(
    shop: &Shop,
    transaction: &mut Transaction<'_, Postgres>,
    request: AppendRequest,
) -> Result<AppendOutcome, AppendError> {
    let replies = shop.store.append_in(transaction, &[request]).await;
    let [reply] = replies.unwrap().try_into().unwrap();
    reply
}
