//! Appending within somebody else's transaction, on a connection that is set up for somebody else's statements.

use dvt_contracts::{AppendError, AppendOutcome, AppendRequest};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::append::{self, Target};
use crate::database::Database;
use crate::fault::Fault;

type Reply = Result<AppendOutcome, AppendError>;

/// The settings that the store's statements need, as the caller has them.
struct Theirs {
    search_path: String,
    plan_cache_mode: String,
    enable_seqscan: String,
    enable_bitmapscan: String,
    enable_sort: String,
    jit: String,
}

pub(crate) async fn append_in(
    database: &Database,
    transaction: &mut Transaction<'_, Postgres>,
    requests: &[AppendRequest],
) -> Result<Vec<Reply>, Fault> {
    let connection: &mut PgConnection = transaction;
    let ours = database.settings().search_path();
    let theirs = take_over(connection, &ours).await.map_err(undone)?;
    lock_heads(connection, requests).await.map_err(undone)?;
    let mut call = database.call();
    let replies = append::append(
        Target::Transaction(connection),
        &mut call,
        database.clock_shift(),
        requests,
    )
    .await?;
    hand_back(connection, &theirs).await.map_err(undone)?;
    Ok(replies)
}

/// Whatever breaks before its commit undoes the transaction.
fn undone(error: sqlx::Error) -> Fault {
    Fault::of(error, false)
}

async fn take_over(connection: &mut PgConnection, ours: &str) -> sqlx::Result<Theirs> {
    sqlx::query_file_as!(Theirs, "queries/take_over.sql", ours)
        .fetch_one(connection)
        .await
}

async fn hand_back(connection: &mut PgConnection, theirs: &Theirs) -> sqlx::Result<()> {
    sqlx::query_file!(
        "queries/hand_back.sql",
        theirs.search_path,
        theirs.plan_cache_mode,
        theirs.enable_seqscan,
        theirs.enable_bitmapscan,
        theirs.enable_sort,
        theirs.jit,
    )
    .fetch_one(connection)
    .await
    .map(|_| ())
}

/// The append's statement reads under the snapshot that it begins with. These locks come before that, so it sees whatever
/// they waited for, and nothing can be refused by a key that came in meanwhile: a refusal would end the caller's transaction.
async fn lock_heads(connection: &mut PgConnection, requests: &[AppendRequest]) -> sqlx::Result<()> {
    let mut runs: Vec<_> = requests.iter().map(|request| &request.run).collect();
    runs.sort();
    runs.dedup();
    let tenant_ids: Vec<&str> = runs.iter().map(|run| run.tenant_id.as_str()).collect();
    let run_ids: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
    sqlx::query_file!("queries/lock_heads.sql", &tenant_ids as _, &run_ids as _)
        .fetch_one(connection)
        .await
        .map(|_| ())
}
