//! What the tests of the ports stand on: migrated schemas, stores in them, and a look at what is stored.

use std::time::{Duration, Instant};

use dvt_adapter_postgres::{PostgresSettings, PostgresStore, SchemaName, migrate};
use dvt_conformance::fixture::{metadata, run};
use dvt_contracts::{AppendRequest, BootstrapRequest, Event, RunKey, RunStateStore as _};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use url::Url;

use crate::server::{TestSchema, connect, url_with};

/// A schema with all tables.
pub(crate) async fn migrated() -> TestSchema {
    let schema = TestSchema::create();
    migrate(&schema.settings(), &mut |_| ()).await.unwrap();
    schema
}

/// The server, its sessions under this name.
pub(crate) fn url_named(name: &str) -> String {
    url_with(|url| named(url, name))
}

/// The same for any URL.
pub(crate) fn named(url: &mut Url, name: &str) {
    url.query_pairs_mut().append_pair("application_name", name);
}

/// Commits that do not wait for the disk: races are as they are, only closer together.
pub(crate) fn without_waiting_for_disks(url: &mut Url) {
    url.query_pairs_mut()
        .append_pair("options[synchronous_commit]", "off");
}

/// A store with these settings.
pub(crate) async fn open(settings: PostgresSettings) -> PostgresStore {
    PostgresStore::connect(settings).await.unwrap()
}

/// Runs without events, by these names.
pub(crate) async fn bootstrap(store: &PostgresStore, names: &[&str]) -> Vec<RunKey> {
    let mut runs = Vec::new();
    for name in names {
        let request = BootstrapRequest {
            run: run(name),
            metadata: metadata(),
            events: Vec::new(),
        };
        store.bootstrap_run(&request).await.unwrap();
        runs.push(request.run);
    }
    runs
}

/// One event for one run.
pub(crate) fn request(run: &RunKey, event: Event) -> AppendRequest {
    AppendRequest::new(run.clone(), vec![event])
}

/// What no run in the schema may be like, whatever happened: a description and the runs that are.
const BROKEN: &str = "
WITH log AS (
    SELECT tenant_id, run_id, count(*) AS events, min(run_seq) AS first, max(run_seq) AS last
    FROM SCHEMA.run_events GROUP BY tenant_id, run_id
),
letters AS (
    SELECT tenant_id, run_id, count(*) AS letters, max(dead_letter_no) AS last_no,
           count(*) FILTER (WHERE resolution IS NULL) AS open,
           max(run_seq) FILTER (WHERE resolution IS NULL) AS open_seq,
           max(run_seq) FILTER (WHERE resolution = 'Skipped') AS skipped_seq
    FROM SCHEMA.outbox_dead_letters GROUP BY tenant_id, run_id
),
run AS (
    SELECT o.*, coalesce(log.events, 0) AS events, log.first, log.last,
           coalesce(letters.letters, 0) AS letters, coalesce(letters.last_no, 0) AS last_no,
           coalesce(letters.open, 0) AS open, letters.open_seq, coalesce(letters.skipped_seq, 0) AS skipped_seq
    FROM SCHEMA.outbox AS o
    LEFT JOIN log USING (tenant_id, run_id)
    LEFT JOIN letters USING (tenant_id, run_id)
)
SELECT rule, run_id FROM run, LATERAL (VALUES
    ('its log is 1 to its head', pruned_at IS NOT NULL OR (events = last_seq AND (events = 0 OR (first, last) = (1, last_seq)))),
    ('its dead letters are numbered from 1', letters = dead_letters AND last_no = letters),
    ('it is parked as long as a dead letter is open', open = CASE WHEN parked_at IS NULL THEN 0 ELSE 1 END),
    ('it is parked at its cursor', open = 0 OR open_seq = delivered_seq + 1),
    ('what was skipped is behind the cursor', skipped_seq <= delivered_seq),
    ('under a lease it is due when that ends', lease_token IS NULL OR due_at = lease_expires_at),
    ('its last event is as old as its head says', NOT EXISTS (
        SELECT FROM SCHEMA.run_events AS e
        WHERE (e.tenant_id, e.run_id, e.run_seq) = (run.tenant_id, run.run_id, run.last_seq)
            AND e.persisted_at <> run.last_persisted_at
    ))
) AS rules (rule, holds)
WHERE NOT holds
UNION ALL
SELECT 'its events lie in the order of their times', run_id
FROM (
    SELECT run_id, persisted_at < lag(persisted_at) OVER (PARTITION BY tenant_id, run_id ORDER BY run_seq) AS back
    FROM SCHEMA.run_events
) AS times
WHERE back
UNION ALL
SELECT 'it has a head and metadata', coalesce(m.run_id, o.run_id)
FROM SCHEMA.run_metadata AS m FULL JOIN SCHEMA.outbox AS o USING (tenant_id, run_id)
WHERE m.run_id IS NULL OR o.run_id IS NULL
LIMIT 20
";

/// Nothing in the schema contradicts anything else in it.
pub(crate) async fn assert_consistent(conn: &mut PgConnection, schema: &SchemaName) {
    let sql = BROKEN.replace("SCHEMA", schema.as_str());
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(conn)
        .await
        .unwrap();
    let broken: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

/// A number that the database tells.
pub(crate) async fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// Asks until the number is the expected one, for at most 10 s.
pub(crate) async fn until(conn: &mut PgConnection, sql: &str, expected: i64) {
    let begun = Instant::now();
    loop {
        let found = number(conn, sql).await;
        if found == expected {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{found}, expected {expected}: {sql}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How many sessions of that name wait for a lock.
pub(crate) fn waiting(name: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' AND wait_event_type = 'Lock'"
    )
}

/// How many deadlocks the database has seen. All other sessions in it must have ended: only then have they told theirs.
pub(crate) async fn deadlocks(conn: &mut PgConnection) -> i64 {
    let others = "SELECT count(*) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    until(conn, others, 0).await;
    let told = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    number(conn, told).await
}

/// A transaction that holds the heads of these runs.
pub(crate) async fn hold(schema: &SchemaName, runs: &[RunKey]) -> PgConnection {
    let mut conn = connect().await;
    let names: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
    sqlx::query("BEGIN").execute(&mut conn).await.unwrap();
    let lock = format!("SELECT FROM {schema}.outbox WHERE run_id = ANY ($1) FOR UPDATE");
    let held = sqlx::query(AssertSqlSafe(lock))
        .bind(names)
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(held.rows_affected(), runs.len() as u64);
    conn
}

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// One of these.
    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len() as u64) as usize]
    }

    /// So many of these, in any order.
    pub(crate) fn some<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut left = of.to_vec();
        let mut taken = Vec::new();
        while taken.len() < count && !left.is_empty() {
            taken.push(left.swap_remove(self.roll(left.len() as u64) as usize));
        }
        taken
    }
}
