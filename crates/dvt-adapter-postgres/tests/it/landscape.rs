//! Tables with a million events in them, made by a few statements.

use sqlx::PgConnection;

use crate::server::execute;

/// How many runs there are: run `i` is `r<i in five digits>` of tenant `t<last digit of i>`.
pub(crate) const RUNS: usize = 10_000;

/// The run with a hundred thousand events. The others have ninety.
pub(crate) const BIG: (&str, &str) = ("t5", "r00005");

/// All runs are due, but for each thousandth from the seventh, which is parked. Half of them have had half their events
/// delivered; each tenth has a dead letter from before, another tenth a checkpoint.
const FILL: &str = "
CREATE TEMPORARY TABLE run AS
SELECT i, 't' || i % 10 AS tenant_id, 'r' || lpad(i::text, 5, '0') AS run_id,
       CASE WHEN i = 5 THEN 100000 ELSE 90 END AS events,
       CASE WHEN i % 2 = 1 THEN 45 ELSE 0 END AS delivered,
       i % 1000 = 7 AS parked, i % 10 = 3 AS retried
FROM generate_series(0, 9999) AS i;

INSERT INTO run_metadata (tenant_id, run_id, project_id, environment_id, plan_id, plan_version, created_at)
SELECT tenant_id, run_id, 'project', 'environment', 'plan', '1', now() FROM run;

INSERT INTO outbox (
    tenant_id, run_id, last_seq, last_persisted_at, status, delivered_seq, pending_since, due_at, dead_letters, parked_at
)
SELECT tenant_id, run_id, events, now(), 'Completed', delivered, now(),
       CASE WHEN NOT parked THEN now() - (10000 - i) * interval '1 millisecond' END,
       (parked OR retried)::int, CASE WHEN parked THEN now() END
FROM run;

INSERT INTO run_events (
    tenant_id, run_id, run_seq, event_type, logical_attempt, engine_attempt, idempotency_key, emitted_at, persisted_at,
    payload, payload_size
)
SELECT tenant_id, run_id, seq, 'Note', 1, 1, 'k' || seq, now(), now(), '{\"row\": 1}', 10
FROM run CROSS JOIN LATERAL generate_series(1, events) AS seq;

INSERT INTO outbox_dead_letters (
    tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at,
    resolution, resolved_by, resolved_reason, resolved_at
)
SELECT tenant_id, run_id, 1, delivered + 1, 3, 'AttemptsExhausted', 'no', now(),
       CASE WHEN retried THEN 'Retried' END, CASE WHEN retried THEN 'ann' END,
       CASE WHEN retried THEN 'again' END, CASE WHEN retried THEN now() END
FROM run WHERE parked OR retried;

INSERT INTO run_checkpoints (tenant_id, run_id, run_seq, fold_version, checksum, state)
SELECT tenant_id, run_id, 10, 1, 'sum', '{}' FROM run WHERE i % 10 = 1;

DROP TABLE run;
";

/// Fills empty tables.
pub(crate) async fn fill(conn: &mut PgConnection) {
    // The order of the keys, and WAL that nobody waits for: a few seconds less.
    execute(conn, "SET synchronous_commit = off").await;
    execute(conn, FILL).await;
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM run_events")
        .fetch_one(conn)
        .await
        .unwrap();
    assert_eq!(events, 999_910);
}

/// No plan may depend on a moment that autovacuum picks.
pub(crate) async fn without_autovacuum(conn: &mut PgConnection) {
    for table in [
        "run_metadata",
        "run_events",
        "outbox",
        "outbox_dead_letters",
        "run_checkpoints",
    ] {
        let freeze = format!("ALTER TABLE {table} SET (autovacuum_enabled = false)");
        execute(conn, freeze).await;
    }
}
