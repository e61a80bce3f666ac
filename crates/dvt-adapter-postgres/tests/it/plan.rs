//! What the server means to do, and what it did.

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::hot::Hot;
use crate::server::execute;

/// Prepares a file of `queries/` under its own name.
pub(crate) async fn prepare(conn: &mut PgConnection, file: &str) {
    let path = format!("{}/queries/{file}.sql", env!("CARGO_MANIFEST_DIR"));
    let sql = std::fs::read_to_string(path).unwrap();
    execute(conn, format!("PREPARE {file} AS {sql}")).await;
}

/// Runs a statement and takes it back.
pub(crate) async fn rehearse(conn: &mut PgConnection, hot: &Hot) {
    let Hot {
        file, arguments, ..
    } = hot;
    execute(
        conn,
        format!("BEGIN; EXECUTE {file}({arguments}); ROLLBACK"),
    )
    .await;
}

/// What is wrong with the plan of a prepared statement.
pub(crate) async fn look_at_plan(conn: &mut PgConnection, hot: &Hot) -> Vec<String> {
    let plan = explain(conn, hot, "FORMAT JSON").await;
    let mut faults = Vec::new();
    judge(&plan["Plan"], hot.whole, &mut faults);
    faults
}

/// What is wrong with the costs of a prepared statement that is run and taken back.
pub(crate) async fn look_at_costs(conn: &mut PgConnection, hot: &Hot) -> Vec<String> {
    let mut millis = f64::INFINITY;
    let mut blocks = u64::MAX;
    let mut rows = 0;
    // The best of three: others use the machine, too.
    for _ in 0..3 {
        execute(conn, "BEGIN").await;
        if let Some(before) = &hot.before {
            execute(conn, before.as_str()).await;
        }
        let plan = explain(conn, hot, "FORMAT JSON, ANALYZE, BUFFERS, TIMING OFF").await;
        execute(conn, "ROLLBACK").await;
        millis = millis.min(plan["Execution Time"].as_f64().unwrap());
        blocks = blocks.min(touched(&plan["Plan"], true));
        rows = written(&plan["Plan"]);
    }
    let mut faults = Vec::new();
    if rows != hot.rows {
        faults.push(format!("writes {rows} rows, {} were expected", hot.rows));
    }
    if blocks > hot.blocks {
        faults.push(format!(
            "touches {blocks} blocks, {} are allowed",
            hot.blocks
        ));
    }
    if millis > hot.millis {
        faults.push(format!("takes {millis} ms, {} are allowed", hot.millis));
    }
    if std::env::var_os("DVT_PG_SHOW_PLANS").is_some() {
        println!(
            "{blocks:>9} blocks {rows:>5} rows {millis:>9.3} ms  {} {}",
            hot.file, hot.call
        );
    }
    faults
}

async fn explain(conn: &mut PgConnection, hot: &Hot, options: &str) -> Value {
    let sql = format!(
        "EXPLAIN ({options}) EXECUTE {}({})",
        hot.file, hot.arguments
    );
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(conn).await;
    let row = row.unwrap_or_else(|error| panic!("{}: {error}", hot.file));
    let text: String = row.try_get_unchecked(0).unwrap();
    let mut plans: Value = serde_json::from_str(&text).unwrap();
    plans[0].take()
}

/// The blocks that a plan touched, at most. What a statement writes without reading it back is done after its top node has
/// ended, which therefore does not count it.
fn touched(node: &Value, top: bool) -> u64 {
    let counted = top || node["Node Type"] == "ModifyTable";
    let own = ["Shared Hit Blocks", "Shared Read Blocks"].map(|kind| node[kind].as_u64().unwrap());
    let below: u64 = children(node).map(|child| touched(child, false)).sum();
    below + if counted { own.iter().sum() } else { 0 }
}

/// The rows that a plan wrote.
fn written(node: &Value) -> u64 {
    let source = children(node).find(|child| child["Parent Relationship"] == "Outer");
    let own = match source {
        // Whole in all versions; a float since PostgreSQL 18.
        Some(source) if node["Node Type"] == "ModifyTable" => {
            source["Actual Rows"].as_f64().unwrap() as u64
        }
        _ => 0,
    };
    own + children(node).map(written).sum::<u64>()
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node["Plans"].as_array().into_iter().flatten()
}

/// Every node reads few rows by a key, or what it may read as a whole.
fn judge(node: &Value, whole: &[&str], faults: &mut Vec<String>) {
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    let (kind, table, index) = (text("Node Type"), text("Relation Name"), text("Index Name"));
    let allowed = whole.contains(&table) || whole.contains(&index);
    // At most one row.
    let tiny = table == "outbox_destination";
    if kind == "Seq Scan" && !allowed && !tiny {
        faults.push(format!("reads all of {table}"));
    }
    let by_index = ["Index Scan", "Index Only Scan", "Bitmap Index Scan"].contains(&kind);
    if by_index && node["Index Cond"].is_null() && !allowed && !tiny {
        faults.push(format!("walks all of {index}"));
    }
    children(node).for_each(|child| judge(child, whole, faults));
}
