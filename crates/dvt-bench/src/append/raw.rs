use sqlx::{Connection as _, PgConnection};

use super::crew::Baseline;
use crate::BoxError;
use crate::event::PAYLOAD;

/// The smallest transaction that stores an event and an outbox row, written by hand: `BEGIN; INSERT; INSERT; COMMIT`.
/// Nobody checks for duplicates, and the caller has to know the number.
#[derive(Debug)]
pub(super) enum Raw {}

pub(super) const INSERT_EVENT: &str = "
    INSERT INTO raw_events (tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
        idempotency_key, emitted_at, persisted_at, payload, payload_size)
    VALUES ('bench', $1, $2, 'StepReported', $3, 1, 1, $4, now(), now(), $5::text::json, $6)";

pub(super) const INSERT_OUTBOX: &str =
    "INSERT INTO raw_outbox (tenant_id, run_id, run_seq, due_at) VALUES ('bench', $1, $2, now())";

impl Baseline for Raw {
    const NAME: &'static str = "raw";

    async fn work(connection: &mut PgConnection, run: &str, count: u64) -> Result<(), BoxError> {
        let size = i64::try_from(PAYLOAD.len())?;
        for seq in 1..=i64::try_from(count)? {
            let mut transaction = connection.begin().await?;
            sqlx::query(INSERT_EVENT)
                .bind(run)
                .bind(seq)
                .bind(format!("model.shop.step_{}", seq % 100))
                .bind(format!("{seq:064}"))
                .bind(PAYLOAD)
                .bind(size)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(INSERT_OUTBOX)
                .bind(run)
                .bind(seq)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}
