use sqlx::PgConnection;

use super::BATCH;
use super::crew::Baseline;
use crate::BoxError;
use crate::event::PAYLOAD;

/// One `INSERT … SELECT unnest(…)` for each batch: the rows and nothing else, no check, no outbox.
#[derive(Debug)]
pub(super) enum Bulk {}

const INSERT: &str = "
    INSERT INTO raw_events (tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
        idempotency_key, emitted_at, persisted_at, payload, payload_size)
    SELECT 'bench', $1, e.seq, 'StepReported', e.step, 1, 1, e.key, now(), now(), e.payload::json, $6
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) AS e (seq, step, key, payload)";

impl Baseline for Bulk {
    const NAME: &'static str = "bulk";

    async fn work(connection: &mut PgConnection, run: &str, count: u64) -> Result<(), BoxError> {
        let size = i64::try_from(PAYLOAD.len())?;
        let (count, batch) = (i64::try_from(count)?, i64::try_from(BATCH)?);
        let mut first = 1;
        while first <= count {
            let seqs: Vec<i64> = (first..first + batch).collect();
            let named = |make: fn(i64) -> String| seqs.iter().map(|seq| make(*seq)).collect();
            let steps: Vec<String> = named(|seq| format!("model.shop.step_{}", seq % 100));
            let keys: Vec<String> = named(|seq| format!("{seq:064}"));
            let payloads = vec![PAYLOAD; seqs.len()];
            sqlx::query(INSERT)
                .bind(run)
                .bind(&seqs)
                .bind(&steps)
                .bind(&keys)
                .bind(&payloads)
                .bind(size)
                .execute(&mut *connection)
                .await?;
            first += batch;
        }
        Ok(())
    }
}
