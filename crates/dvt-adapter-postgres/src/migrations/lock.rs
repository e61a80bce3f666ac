//! One migration of a schema at a time: a session's advisory lock, polled for. Who blocks in `pg_advisory_lock` holds a
//! snapshot meanwhile; two of them and an index that is built concurrently wait for each other for ever.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;

use super::error::MigrateError;
use crate::schema_name::SchemaName;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The key is a hash of a text that nobody else locks. Should somebody do so, it costs time and nothing else.
const TRY: &str = "SELECT pg_try_advisory_lock(hashtextextended($1 COLLATE \"C\", 0))";
const UNLOCK: &str = "SELECT pg_advisory_unlock(hashtextextended($1 COLLATE \"C\", 0))";
const HOLDER: &str = "
SELECT l.pid
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_database AS d ON d.oid = l.database AND d.datname = current_database()
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended($1 COLLATE \"C\", 0)
LIMIT 1
";

fn text(schema: &SchemaName) -> String {
    format!("dvt:{schema}")
}

/// Takes the lock, or says who holds it after `patience`.
pub(super) async fn acquire(
    conn: &mut PgConnection,
    schema: &SchemaName,
    patience: Duration,
) -> Result<(), MigrateError> {
    let failed = |error| MigrateError::statement("taking the lock for migrations", error);
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let is_ours: bool = sqlx::query_scalar(TRY)
            .bind(text(schema))
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
        if is_ours {
            return Ok(());
        }
        let left = patience.saturating_sub(started.elapsed());
        if left.is_zero() {
            break;
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let holder = sqlx::query_scalar(HOLDER)
        .bind(text(schema))
        .fetch_optional(conn)
        .await;
    Err(MigrateError::Locked {
        schema: schema.to_string(),
        waited: started.elapsed(),
        holder: holder.map_err(failed)?,
    })
}

/// Gives the lock back. If that fails, the end of the session does it.
pub(super) async fn release(conn: &mut PgConnection, schema: &SchemaName) {
    let _ = sqlx::query(UNLOCK).bind(text(schema)).execute(conn).await;
}
