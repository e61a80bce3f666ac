use dvt_contracts::{Destination, OperatorNote, OutboxError, Retarget, Timestamp};
use sqlx::SqliteConnection;

use crate::fault::Fault;
use crate::value::{moment, text};

/// The row of `outbox_destination`.
pub(super) struct Bound {
    pub(super) destination: Destination,
    pub(super) last_retarget: Option<Retarget>,
}

/// Where the outbox delivers to, once bound.
pub(super) async fn bound(connection: &mut SqliteConnection) -> Result<Option<Bound>, Fault> {
    let row = sqlx::query_file!("queries/load_destination.sql")
        .fetch_optional(connection)
        .await
        .map_err(Fault::of)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let destination: Destination = text("destination", &row.destination)?;
    let last_retarget = match (
        row.retargeted_from,
        row.retargeted_by,
        row.retargeted_reason,
        row.retargeted_at,
    ) {
        (Some(from), Some(by), Some(reason), Some(at)) => Some(Retarget {
            from: text("destination", &from)?,
            to: destination.clone(),
            note: OperatorNote::new(by, reason),
            at: moment(at)?,
        }),
        _ => None,
    };
    Ok(Some(Bound {
        destination,
        last_retarget,
    }))
}

/// Whether the outbox delivers there.
pub(super) fn same(bound: Destination, requested: &Destination) -> Result<(), OutboxError> {
    if bound == *requested {
        return Ok(());
    }
    Err(OutboxError::DestinationMismatch {
        bound,
        requested: requested.clone(),
    })
}

pub(super) async fn bind(
    connection: &mut SqliteConnection,
    destination: &Destination,
) -> Result<Result<(), OutboxError>, Fault> {
    if let Some(bound) = bound(connection).await? {
        return Ok(same(bound.destination, destination));
    }
    let name = destination.as_str();
    sqlx::query_file!("queries/bind_destination.sql", name)
        .execute(connection)
        .await
        .map_err(Fault::of)?;
    Ok(Ok(()))
}

pub(super) async fn retarget(
    connection: &mut SqliteConnection,
    from: &Destination,
    to: &Destination,
    note: &OperatorNote,
    now: Timestamp,
) -> Result<Result<(), OutboxError>, Fault> {
    let Some(bound) = bound(connection).await? else {
        return Ok(Err(OutboxError::NoDestination {
            requested: from.clone(),
        }));
    };
    if bound.destination == *to {
        return Ok(Ok(()));
    }
    if let Err(refusal) = same(bound.destination, from) {
        return Ok(Err(refusal));
    }
    let (to, from) = (to.as_str(), from.as_str());
    let (by, reason) = (note.by.as_str(), note.reason.as_str());
    let at = now.as_micros();
    sqlx::query_file!("queries/retarget.sql", to, from, by, reason, at)
        .execute(connection)
        .await
        .map_err(Fault::of)?;
    Ok(Ok(()))
}
