//! Much data at once, written by the server itself: what stores and baselines would have written, without the time for it.

use sqlx::Executor as _;

use crate::BoxError;
use crate::event::PAYLOAD;
use crate::ground::Ground;

/// Runs with events, all pending or all delivered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs<'a> {
    /// Their names begin with this.
    pub(crate) prefix: &'a str,
    pub(crate) runs: u64,
    pub(crate) events_each: u64,
    pub(crate) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Delivered,
    /// Pending, and set aside.
    Parked,
}

impl Runs<'_> {
    /// Writes them as our store does.
    pub(crate) async fn write(self, ground: &Ground) -> Result<(), BoxError> {
        let Self {
            prefix,
            runs,
            events_each,
            state,
        } = self;
        let (delivered, due, parked, letters) = match state {
            State::Pending => ("0", "now()", "NULL", "0"),
            State::Delivered => ("e", "NULL", "NULL", "0"),
            State::Parked => ("0", "NULL", "now()", "1"),
        };
        let letter = match state {
            State::Parked => format!(
                "INSERT INTO outbox_dead_letters (tenant_id, run_id, dead_letter_no, run_seq, attempts, cause, error, dead_at)
                 SELECT 'bench', '{prefix}-' || r, 1, 1, 10, 'AttemptsExhausted', 'refused', now()
                 FROM generate_series(1, {runs}) AS r;"
            ),
            State::Pending | State::Delivered => String::new(),
        };
        let sql = format!(
            "INSERT INTO run_metadata (tenant_id, run_id, project_id, environment_id, plan_id, plan_version, created_at)
             SELECT 'bench', '{prefix}-' || r, 'bench', 'bench', 'nightly', '1', now() FROM generate_series(1, {runs}) AS r;
             INSERT INTO outbox (tenant_id, run_id, last_seq, last_persisted_at, status, delivered_seq, pending_since, due_at,
                 parked_at, dead_letters)
             SELECT 'bench', '{prefix}-' || r, e, now(), 'Running', {delivered}, now(), {due}, {parked}, {letters}
             FROM generate_series(1, {runs}) AS r, (SELECT {events_each}::bigint AS e) AS events;
             {letter} {}",
            events("run_events", prefix, runs, events_each)
        );
        ground.execute(&sql).await
    }

    /// Writes them as a hand-written outbox would: a row for each event.
    pub(crate) async fn write_rows(self, ground: &Ground) -> Result<(), BoxError> {
        let Self {
            prefix,
            runs,
            events_each,
            ..
        } = self;
        let sql = format!(
            "{}
             INSERT INTO raw_outbox (tenant_id, run_id, run_seq, due_at)
             SELECT 'bench', '{prefix}-' || r, e, now()
             FROM generate_series(1, {runs}) AS r, generate_series(1, {events_each}) AS e;",
            events("raw_events", prefix, runs, events_each)
        );
        ground.execute(&sql).await
    }
}

fn events(table: &str, prefix: &str, runs: u64, events_each: u64) -> String {
    format!(
        "INSERT INTO {table} (tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
             idempotency_key, emitted_at, persisted_at, payload, payload_size)
         SELECT 'bench', '{prefix}-' || r, e, 'StepReported', 'model.shop.step_' || e % 100, 1, 1, lpad(e::text, 64, '0'),
             now(), now(), '{PAYLOAD}', {}
         FROM generate_series(1, {runs}) AS r, generate_series(1, {events_each}) AS e;",
        PAYLOAD.len()
    )
}

impl Ground {
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), BoxError> {
        let mut connection = self.connect().await?;
        connection
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
            .await?;
        Ok(())
    }

    /// What autovacuum would do sooner or later, so that no round has to share with it.
    pub(crate) async fn settle(&self) -> Result<(), BoxError> {
        self.execute("VACUUM (ANALYZE) run_events, outbox, raw_events, raw_outbox")
            .await?;
        self.execute("CHECKPOINT").await
    }
}
