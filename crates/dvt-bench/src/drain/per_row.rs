use std::time::Instant;

use sqlx::{Connection as _, Row as _};

use crate::BoxError;
use crate::ground::Ground;

/// Claims the rows that have been due longest, with their events.
const CLAIM: &str = "
    SELECT o.tenant_id, o.run_id, o.run_seq, e.event_type, e.step_id, e.logical_attempt, e.engine_attempt,
           e.idempotency_key, (extract(epoch FROM e.emitted_at) * 1000000)::bigint AS emitted_at,
           (extract(epoch FROM e.persisted_at) * 1000000)::bigint AS persisted_at, e.payload::text AS payload
    FROM (
        SELECT tenant_id, run_id, run_seq
        FROM raw_outbox
        WHERE due_at <= now()
        ORDER BY due_at
        LIMIT 500
        FOR UPDATE SKIP LOCKED
    ) AS o
    JOIN raw_events AS e USING (tenant_id, run_id, run_seq)";

const DELETE: &str = "
    DELETE FROM raw_outbox AS o
    USING unnest($1::text[], $2::text[], $3::bigint[]) AS done (tenant_id, run_id, run_seq)
    WHERE (o.tenant_id, o.run_id, o.run_seq) = (done.tenant_id, done.run_id, done.run_seq)";

/// Events per second of a relay as it is written by hand: claim 500 rows, deliver them, delete them. One connection, as ours
/// claims by one at a time.
pub(super) async fn drain(ground: &Ground, events: u64) -> Result<f64, BoxError> {
    let mut connection = ground.connect().await?;
    let begun = Instant::now();
    let mut delivered = 0;
    loop {
        let mut transaction = connection.begin().await?;
        let rows = sqlx::query(CLAIM).fetch_all(&mut *transaction).await?;
        if rows.is_empty() {
            break;
        }
        let (mut tenants, mut runs, mut seqs) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            tenants.push(row.try_get::<String, _>(0)?);
            runs.push(row.try_get::<String, _>(1)?);
            seqs.push(row.try_get::<i64, _>(2)?);
            // What a sink is given.
            let payload: String = row.try_get("payload")?;
            std::hint::black_box(payload);
        }
        let deleted = sqlx::query(DELETE)
            .bind(&tenants)
            .bind(&runs)
            .bind(&seqs)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        delivered += deleted.rows_affected();
    }
    let elapsed = begun.elapsed();
    if delivered != events {
        return Err(format!("{delivered} of {events} rows delivered").into());
    }
    Ok(events as f64 / elapsed.as_secs_f64())
}
