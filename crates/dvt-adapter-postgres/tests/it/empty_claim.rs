//! What a claim costs when nothing is due: relays ask several times a second, also while a receiver is down and everything
//! backs off.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::ground::Ground;
use crate::server::execute;
use crate::trial::{Outcome, trials};

trials![it_reads_a_handful_of_buffers, it_takes_no_transaction_id,];

const CLAIM: &str = include_str!("../../queries/claim.sql");
/// Generous: it descends one index, once or twice.
const HANDFUL: u64 = 30;

/// The claim of a relay without a floor, and above one.
const FLOORS: [&str; 2] = ["NULL", "now() - interval '100 milliseconds'"];
const NOW: i64 = 0;
/// Everything is due.
const IN_TWO_HOURS: i64 = 2 * 60 * 60 * 1_000_000;

/// An empty store and a connection such as the store's own, on which the claim is prepared and was used: a service that
/// starts on empty tables keeps the plan that it has then.
async fn prepared() -> Result<(Ground, PgConnection), sqlx::Error> {
    let ground = Ground::new().await;
    let mut conn = ground.schema.settings().store_connection().await?;
    execute(&mut conn, format!("PREPARE claim AS {CLAIM}")).await;
    for floor in FLOORS {
        execute(&mut conn, claim(floor, NOW)).await;
    }
    Ok((ground, conn))
}

fn claim(floor: &str, clock_shift: i64) -> String {
    let (lease, most, alone, enough) = (60_000_000, 1_000, 3, 10_000);
    format!(
        "EXECUTE claim ({floor}, {most}, {most}, {}, {lease}, {clock_shift}, {alone}, {enough})",
        i64::MAX
    )
}

/// Runs of one event each that failed once and wait for an hour.
async fn fill(ground: &Ground, runs: u32) {
    let mut conn = ground.connection().await;
    execute(
        &mut conn,
        format!(
            "INSERT INTO run_metadata (tenant_id, run_id, project_id, environment_id, plan_id, plan_version, created_at)
             SELECT 'tenant', 'run-' || n, 'project', 'environment', 'plan', 'version', now()
             FROM generate_series(1, {runs}) AS n;
             INSERT INTO outbox (tenant_id, run_id, last_seq, last_persisted_at, status, pending_since, due_at,
                                 claim_no, attempts, last_error)
             SELECT 'tenant', 'run-' || n, 1, now(), 'Pending', now(), now() + interval '1 hour' + n * interval '1 ms',
                    1, 1, 'receiver is down'
             FROM generate_series(1, {runs}) AS n;
             INSERT INTO run_events (tenant_id, run_id, run_seq, event_type, logical_attempt, engine_attempt,
                                     idempotency_key, emitted_at, persisted_at, payload, payload_size)
             SELECT 'tenant', 'run-' || n, 1, 'Note', 1, 1, 'key', now(), now(), 'null', 4
             FROM generate_series(1, {runs}) AS n"
        ),
    )
    .await;
}

/// The buffers that a statement reads, those in memory among them.
async fn buffers(conn: &mut PgConnection, statement: &str) -> u64 {
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}");
    let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(conn).await;
    let plan: String = plan.unwrap().get_unchecked(0);
    // The first node is the last to end, and counts what all below it read.
    let first = |name: &str| -> u64 {
        let (_, after) = plan.split_once(&format!("\"{name}\": ")).unwrap();
        let end = after.find(|sign: char| !sign.is_ascii_digit()).unwrap();
        after[..end].parse().unwrap()
    };
    first("Shared Hit Blocks") + first("Shared Read Blocks")
}

/// Whether a statement gets a transaction id; what it does is undone.
async fn takes_transaction_id(conn: &mut PgConnection, statement: &str) -> bool {
    execute(conn, "BEGIN").await;
    execute(conn, statement).await;
    let taken = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL";
    let taken = sqlx::query_scalar(taken).fetch_one(&mut *conn).await;
    execute(conn, "ROLLBACK").await;
    taken.unwrap()
}

async fn it_reads_a_handful_of_buffers() -> Outcome {
    let (ground, mut conn) = prepared().await?;
    fill(&ground, 100_000).await;

    for statistics in ["of the empty table", "of now"] {
        for floor in FLOORS {
            let read = buffers(&mut conn, &claim(floor, NOW)).await;
            assert!(
                read < HANDFUL,
                "{read} buffers, floor {floor}, statistics {statistics}"
            );
        }
        execute(&mut ground.connection().await, "ANALYZE outbox, run_events").await;
    }

    // The measure sees reads when there are any.
    let read = buffers(&mut conn, &claim("NULL", IN_TWO_HOURS)).await;
    assert!(read > 100 * HANDFUL, "only {read} buffers for 1,000 runs");
    Ok(())
}

/// CASES G 70.
async fn it_takes_no_transaction_id() -> Outcome {
    let (ground, mut conn) = prepared().await?;
    fill(&ground, 100).await;

    for floor in FLOORS {
        assert!(
            !takes_transaction_id(&mut conn, &claim(floor, NOW)).await,
            "floor {floor}"
        );
    }

    // The same claim takes one when there is something to claim.
    assert!(takes_transaction_id(&mut conn, &claim("NULL", IN_TWO_HOURS)).await);
    Ok(())
}
