use sqlx::{Connection as _, PgConnection};

use super::crew::Baseline;
use super::raw::INSERT_OUTBOX;
use crate::BoxError;
use crate::event::PAYLOAD;

/// What DVT replaces: an advisory lock on the run, `MAX(run_seq) + 1`, insert or select by the key, an insert into the outbox.
#[derive(Debug)]
pub(super) enum Seed {}

const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('bench|' || $1, 0))";

const LAST: &str =
    "SELECT coalesce(max(run_seq), 0) FROM raw_events WHERE tenant_id = 'bench' AND run_id = $1";

const INSERT: &str = "
    INSERT INTO raw_events (tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
        idempotency_key, emitted_at, persisted_at, payload, payload_size)
    VALUES ('bench', $1, $2, 'StepReported', $3, 1, 1, $4, now(), now(), $5::text::json, $6)
    ON CONFLICT (tenant_id, run_id, idempotency_key) DO NOTHING";

impl Baseline for Seed {
    const NAME: &'static str = "seed algorithm";

    async fn work(connection: &mut PgConnection, run: &str, count: u64) -> Result<(), BoxError> {
        let size = i64::try_from(PAYLOAD.len())?;
        for number in 1..=count {
            let mut transaction = connection.begin().await?;
            sqlx::query(LOCK)
                .bind(run)
                .execute(&mut *transaction)
                .await?;
            let last: i64 = sqlx::query_scalar(LAST)
                .bind(run)
                .fetch_one(&mut *transaction)
                .await?;
            let inserted = sqlx::query(INSERT)
                .bind(run)
                .bind(last + 1)
                .bind(format!("model.shop.step_{}", number % 100))
                .bind(format!("{number:064}"))
                .bind(PAYLOAD)
                .bind(size)
                .execute(&mut *transaction)
                .await?;
            // A key that is known would be selected here; there is none in this measurement.
            if inserted.rows_affected() == 1 {
                sqlx::query(INSERT_OUTBOX)
                    .bind(run)
                    .bind(last + 1)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }
}
