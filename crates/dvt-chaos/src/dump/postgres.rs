use dvt_contracts::Checkpoint;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Executor as _, Row as _};

use super::log::{Beside, Row, holds};
use crate::BoxError;
use crate::history::{Final, FinalDeadLetter, FinalRun};

/// All runs in the schema `dvt`.
pub(crate) async fn dump(connection: &mut PgConnection) -> Result<Final, BoxError> {
    let beside = beside(connection).await?;
    let heads = connection
        .fetch_all(
            "SELECT tenant_id, run_id, status, last_seq, delivered_seq, pruned_at IS NOT NULL, parked_at IS NOT NULL, dead_letters \
             FROM dvt.outbox ORDER BY tenant_id, run_id",
        )
        .await?;
    let mut last = Final::new();
    for head in heads {
        let (tenant, id): (String, String) = (head.try_get(0)?, head.try_get(1)?);
        let run = format!("{tenant}/{id}");
        let rows = sqlx::query(
            "SELECT run_seq, idempotency_key, event_type, step_id, logical_attempt, engine_attempt, \
             (extract(epoch FROM emitted_at) * 1000000)::bigint, (extract(epoch FROM persisted_at) * 1000000)::bigint, payload::text \
             FROM dvt.run_events WHERE tenant_id = $1 AND run_id = $2 ORDER BY run_seq",
        )
        .bind(&tenant)
        .bind(&id)
        .fetch_all(&mut *connection)
        .await?;
        let rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let checkpoint = beside.checkpoints.get(&run);
        let run = FinalRun {
            status: head.try_get(2)?,
            last_seq: number(&head, 3)?,
            delivered_seq: number(&head, 4)?,
            pruned: head.try_get(5)?,
            parked: head.try_get(6)?,
            dead_letter_count: number(&head, 7)?,
            events: rows.iter().map(Row::told).collect::<Result<_, _>>()?,
            dead_letters: beside.dead_letters.get(&run).cloned().unwrap_or_default(),
            checkpoint_holds: checkpoint
                .map(|checkpoint| holds(checkpoint, &rows))
                .transpose()?,
            run,
        };
        last.insert(run.run.clone(), run);
    }
    Ok(last)
}

async fn beside(connection: &mut PgConnection) -> Result<Beside, BoxError> {
    let mut beside = Beside::default();
    let checkpoints = connection
        .fetch_all("SELECT tenant_id || '/' || run_id, run_seq, fold_version, checksum, state FROM dvt.run_checkpoints")
        .await?;
    for row in checkpoints {
        let checkpoint = Checkpoint {
            run_seq: number(&row, 1)?,
            fold_version: u32::try_from(row.try_get::<i64, _>(2)?)?,
            checksum: row.try_get(3)?,
            state: row.try_get(4)?,
        };
        beside.checkpoints.insert(row.try_get(0)?, checkpoint);
    }
    let dead_letters = connection
        .fetch_all(
            "SELECT tenant_id || '/' || run_id, dead_letter_no, run_seq, attempts, cause, resolution FROM dvt.outbox_dead_letters",
        )
        .await?;
    for row in dead_letters {
        let dead = FinalDeadLetter {
            dead_letter_no: number(&row, 1)?,
            seq: number(&row, 2)?,
            attempts: number(&row, 3)?,
            cause: row.try_get(4)?,
            resolution: row.try_get(5)?,
        };
        beside
            .dead_letters
            .entry(row.try_get(0)?)
            .or_default()
            .push(dead);
    }
    Ok(beside)
}

fn number(row: &PgRow, at: usize) -> Result<u64, BoxError> {
    Ok(u64::try_from(row.try_get::<i64, _>(at)?)?)
}

fn row(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        run_seq: row.try_get(0)?,
        key: row.try_get(1)?,
        event_type: row.try_get(2)?,
        step_id: row.try_get(3)?,
        logical_attempt: row.try_get(4)?,
        engine_attempt: row.try_get(5)?,
        emitted_at: row.try_get(6)?,
        persisted_at: row.try_get(7)?,
        payload: row.try_get(8)?,
    })
}
